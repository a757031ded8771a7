"""Makes unicode.bin, the Unicode tables that .NET does not have without ICU.

Usage: python3 generate.py [scripts.rs]     (writes unicode.bin beside this script)

Sources: Python's own `unicodedata` for normalization (the file in the repository: Python 3.11, Unicode 14.0; what is assigned never changes)
and the PyPI package `regex` for scripts, derived properties and case folding (2026.5.9, Unicode 17; code points that .NET's categories, Unicode 16, do
not know are passed over at run time). `scripts.rs` is tokenizers' pre_tokenizers/unicode_scripts/scripts.rs (commit 3ba8ad00): only which code points that
older table lacks is read from it, because its UnicodeScripts pre-tokenizer treats those as of no script; without it that list is empty.

Format: five sections of unsigned LEB128 numbers, as UnicodeTables.cs reads them; ranges are (gap to the end of the last one, length - 1).
"""

import re
import sys
import unicodedata
from pathlib import Path

import regex

LAST = 0x10FFFF
CODE_POINTS = [c for c in range(LAST + 1) if not 0xD800 <= c <= 0xDFFF]
SCRIPTS = """Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid
Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret Devanagari
Dives_Akuru Dogra Duployan Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Garay Georgian Glagolitic Gothic Grantha Greek Gujarati Gunjala_Gondi Gurmukhi
Gurung_Khema Han Hangul Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited Inscriptional_Pahlavi Inscriptional_Parthian Javanese
Kaithi Kannada Katakana Kawi Kayah_Li Kharoshthi Khitan_Small_Script Khmer Khojki Khudawadi Kirat_Rai Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian
Lydian Mahajani Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi Medefaidrin Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs
Miao Modi Mongolian Mro Multani Myanmar Nabataean Nag_Mundari Nandinagari New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki Ol_Onal
Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_Sogdian Old_South_Arabian Old_Turkic Old_Uyghur Oriya Osage Osmanya Pahawh_Hmong
Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham SignWriting Sinhala Sogdian
Sora_Sompeng Soyombo Sundanese Sunuwar Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan
Tifinagh Tirhuta Todhri Toto Tulu_Tigalari Ugaritic Vai Vithkuqi Wancho Warang_Citi Yezidi Yi Zanabazar_Square""".split()


def number(out, n):
    """Appends n as LEB128."""
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)


def ranges_of(code_points):
    """Sorted code points to (first, last)."""
    found = []
    for c in code_points:
        if found and found[-1][1] == c - 1:
            found[-1][1] = c
        else:
            found.append([c, c])
    return found


def write_ranges(out, ranges):
    number(out, len(ranges))
    at = 0
    for first, last in ranges:
        number(out, first - at)
        number(out, last - first)
        at = last + 1


def matching(pattern):
    test = regex.compile(pattern).match
    return ranges_of(c for c in CODE_POINTS if test(chr(c)))


def fold(c):
    """Simple case folding (statuses C and S of CaseFolding.txt)."""
    full = chr(c).casefold()
    if len(full) == 1:
        return ord(full)
    lower = chr(c).lower()
    return ord(lower) if len(lower) == 1 else c


def old_table_lacks(path):
    """Code points that have a script, but none in the table of tokenizers."""
    known = set()
    for first, last in re.findall(r"^\s*0x([0-9A-F]+)(?:\.\.=0x([0-9A-F]+))? => Script::", path.read_text(), re.M):
        known.update(range(int(first, 16), int(last or first, 16) + 1))
    test = regex.compile(r"\P{Script=Unknown}").match
    return ranges_of(c for c in CODE_POINTS if c not in known and test(chr(c)))


def main():
    out = bytearray()
    # 1: scripts, the name's length and letters, then its ranges.
    number(out, len(SCRIPTS))
    for name in SCRIPTS:
        number(out, len(name))
        out += name.encode()
        write_ranges(out, matching(rf"\p{{Script={name}}}"))
    write_ranges(out, old_table_lacks(Path(sys.argv[1])) if len(sys.argv) > 1 else [])
    # 2: derived properties.
    for name in ("Alphabetic", "Lowercase", "Uppercase"):
        write_ranges(out, matching(rf"\p{{{name}}}"))
    # 3: case folding, as (gap, zigzag of the difference).
    folds = [(c, fold(c)) for c in CODE_POINTS if fold(c) != c]
    number(out, len(folds))
    at = 0
    for c, to in folds:
        number(out, c - at)
        number(out, (to - c) * 2 if to > c else (c - to) * 2 - 1)
        at = c
    # 4: canonical combining classes, ranges with a class.
    classes = {}
    for c in CODE_POINTS:
        if unicodedata.combining(chr(c)):
            classes.setdefault(unicodedata.combining(chr(c)), []).append(c)
    number(out, len(classes))
    for value, members in sorted(classes.items()):
        number(out, value)
        write_ranges(out, ranges_of(members))
    # 5: decompositions of one level, (gap, kind + 4 * length, code points); kind 0: canonical and composes again, 1: canonical only, 2: compatibility.
    entries = []
    for c in CODE_POINTS:
        parts = unicodedata.decomposition(chr(c)).split()
        if not parts or 0xAC00 <= c <= 0xD7A3:
            continue
        compatibility = parts[0].startswith("<")
        kind = 2 if compatibility else 0 if unicodedata.normalize("NFC", chr(c)) == chr(c) else 1
        entries.append((c, kind, [int(p, 16) for p in parts[compatibility:]]))
    number(out, len(entries))
    at = 0
    for c, kind, parts in entries:
        number(out, c - at)
        number(out, kind + 4 * len(parts))
        for p in parts:
            number(out, p)
        at = c
    Path(__file__).with_name("unicode.bin").write_bytes(out)
    print(f"{len(out)} bytes, {len(entries)} decompositions, {len(folds)} foldings, normalization of Unicode {unicodedata.unidata_version}")


main()
