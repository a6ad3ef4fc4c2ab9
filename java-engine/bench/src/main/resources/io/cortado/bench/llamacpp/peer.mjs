// One side of `bench latency --vs llamacpp`: runs llama.cpp on token ids, one JSON line in, one out.
import {createInterface} from "node:readline";
import {getLlama} from "node-llama-cpp";

const [modelPath, threadsText, contextText] = process.argv.slice(2);
const threads = Number(threadsText);
const reply = (value) => process.stdout.write(JSON.stringify(value) + "\n");

const llama = await getLlama({
    gpu: false,
    build: "never",
    maxThreads: threads,
    skipDownload: true,
    progressLogs: false,
    logLevel: "error"
});
const model = await llama.loadModel({modelPath});
const context = await model.createContext({
    contextSize: Number(contextText),
    batchSize: 512,
    sequences: 1,
    threads: {ideal: threads, min: threads}
});
const sequence = context.getSequence();
reply({
    ready: true,
    threads: context.currentThreads,
    release: llama.llamaCppRelease?.release ?? ""
});

for await (const line of createInterface({input: process.stdin})) {
    const {prompt, count} = JSON.parse(line);
    await sequence.clearHistory();
    const ids = [];
    const begin = performance.now();
    let first = begin;
    for await (const id of sequence.evaluate(prompt, {temperature: 0, yieldEogToken: true})) {
        ids.push(id);
        if (ids.length === 1)
            first = performance.now();
        if (ids.length === count)
            break;
    }
    const end = performance.now();
    reply({ids, firstMs: first - begin, restMs: end - first});
}
await llama.dispose();
