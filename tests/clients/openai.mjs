// What the official npm client makes of a server: node openai.mjs URL MODEL KEY prints one JSON document.
import OpenAI from "openai";

const [baseURL, model, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "List three fruits that are red." }];
const common = { model, temperature: 0, max_tokens: 24 };
const seen = {};

seen.answer = (await client.chat.completions.create({ ...common, messages })).choices[0].message.content;

seen.streamed = "";
for await (const chunk of await client.chat.completions.create({ ...common, messages, stream: true, stream_options: { include_usage: true } })) {
  seen.streamed += chunk.choices[0]?.delta?.content ?? "";
  if (chunk.usage) seen.streamedTokens = chunk.usage.completion_tokens;
}

const parameters = { type: "object", properties: { city: { type: "string", maxLength: 12 } }, required: ["city"], additionalProperties: false };
const tools = [{ type: "function", function: { name: "get_weather", description: "Weather of a city", parameters } }];
const forced = {
  ...common, max_tokens: 60, tools, tool_choice: { type: "function", function: { name: "get_weather" } },
  messages: [{ role: "user", content: "Weather in Paris?" }],
};
seen.call = (await client.chat.completions.create(forced)).choices[0].message.tool_calls[0].function;
const stream = client.chat.completions.stream(forced);
seen.streamedArguments = (await stream.finalChatCompletion()).choices[0].message.tool_calls[0].function.arguments;

const schema = { type: "object", properties: { red: { type: "boolean" } }, required: ["red"], additionalProperties: false };
seen.parsed = (await client.chat.completions.parse({
  ...common, max_tokens: 300, messages: [{ role: "user", content: "A fruit" }],
  response_format: { type: "json_schema", json_schema: { name: "fruit", strict: true, schema } },
})).choices[0].message.parsed;

async function status(ask) {
  try {
    await ask();
    return 200;
  } catch (error) {
    return error.status;
  }
}
seen.errors = [
  await status(() => client.chat.completions.create({ ...common, model: "gpt", messages })),
  await status(() => client.chat.completions.create({ ...common, messages, banana: 1 })),
  await status(() => new OpenAI({ baseURL, apiKey: "sk-wrong", maxRetries: 0 }).models.list()),
];
seen.models = (await client.models.list()).data.map((m) => m.id);
console.log(JSON.stringify(seen));
