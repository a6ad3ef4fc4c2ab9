// Drives a server with the official OpenAI npm client: node client-test.mjs BASE_URL MODEL
import assert from 'node:assert/strict';
import OpenAI from 'openai';

const [url, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL: url, apiKey: 'unused', maxRetries: 0 });
const messages = [{ role: 'user', content: 'What is paged attention?' }];
const ask = { model, messages, max_tokens: 8, temperature: 0 };

const models = [];
for await (const each of client.models.list()) models.push(each.id);
assert.ok(models.includes(model));
assert.equal((await client.models.retrieve(model)).id, model);

const whole = await client.chat.completions.create(ask);
assert.equal(whole.object, 'chat.completion');
assert.ok(['stop', 'length'].includes(whole.choices[0].finish_reason));
assert.ok(whole._request_id.startsWith('req-'));

const helper = client.chat.completions.stream({ ...ask, stream_options: { include_usage: true } });
let streamed = '';
helper.on('content', (delta) => (streamed += delta));
const final = await helper.finalChatCompletion();
assert.equal(streamed, whole.choices[0].message.content);
assert.equal(final.choices[0].message.content, streamed);
assert.deepEqual(
  [final.usage.prompt_tokens, final.usage.completion_tokens],
  [whole.usage.prompt_tokens, whole.usage.completion_tokens],
);

const two = await client.chat.completions.stream({ ...ask, n: 2 }).finalChatCompletion();
assert.equal(two.choices.length, 2);

const text = await client.completions.create({ model, prompt: 'Once', max_tokens: 4 });
assert.equal(text.object, 'text_completion');
let pieces = '';
const stream = await client.completions.create({ model, prompt: 'Once', max_tokens: 4, temperature: 0, stream: true });
for await (const chunk of stream) pieces += chunk.choices[0]?.text ?? '';
assert.ok(pieces.length > 0);

const texts = { model, input: ['Once', 'Once upon a time'] };
const embedded = await client.embeddings.create(texts); // asks for base64 and decodes it
const numbers = await client.embeddings.create({ ...texts, encoding_format: 'float' });
assert.equal(embedded.data.length, 2);
assert.ok(embedded.usage.prompt_tokens > 0);
assert.deepEqual(Array.from(embedded.data[1].embedding), numbers.data[1].embedding.map(Math.fround));
await assert.rejects(client.embeddings.create({ model, input: [] }), (e) =>
  e instanceof OpenAI.BadRequestError && e.param === 'input');

await assert.rejects(client.chat.completions.create({ ...ask, temperature: 9 }), (e) =>
  e instanceof OpenAI.BadRequestError && e.param === 'temperature' && /temperature/.test(e.message));
await assert.rejects(client.chat.completions.create({ ...ask, model: 'none' }), (e) =>
  e instanceof OpenAI.NotFoundError && e.code === 'model_not_found');

const cancelled = await client.chat.completions.create({ ...ask, max_tokens: 400, stream: true });
for await (const _ of cancelled) {
  cancelled.controller.abort();
  break;
}
const gone = new AbortController();
const pending = client.chat.completions.create({ ...ask, max_tokens: 400 }, { signal: gone.signal });
gone.abort();
await assert.rejects(pending, OpenAI.APIUserAbortError);
console.log('all right');
