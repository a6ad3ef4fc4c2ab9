package io.cortado.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.http.StreamResponse;
import com.openai.errors.BadRequestException;
import com.openai.errors.NotFoundException;
import com.openai.helpers.ChatCompletionAccumulator;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionStreamOptions;
import com.openai.models.completions.Completion;
import com.openai.models.completions.CompletionCreateParams;
import com.openai.models.embeddings.CreateEmbeddingResponse;
import com.openai.models.embeddings.EmbeddingCreateParams;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;

/** What the official OpenAI clients do with a server, whatever engine is behind it. */
final class OpenAiClients {
    private OpenAiClients() {}

    /** Chat, stream, completions, models, errors and cancel with the Java client. */
    static void java(String baseUrl, String model) {
        OpenAIClient client =
                OpenAIOkHttpClient.builder()
                        .baseUrl(baseUrl)
                        .apiKey("unused")
                        .maxRetries(0)
                        .build();
        try {
            assertEquals(model, client.models().retrieve(model).id());
            assertTrue(client.models().list().data().stream().anyMatch(m -> m.id().equals(model)));
            ChatCompletion whole = client.chat().completions().create(chat(model).build());
            String text = whole.choices().getFirst().message().content().orElseThrow();
            assertTrue(whole.usage().orElseThrow().completionTokens() > 0);
            assertEquals(text, streamed(client, model));
            twoChoices(client, model);
            completions(client, model);
            embeddings(client, model);
            errors(client, model);
            cancel(client, model);
        } finally {
            client.close();
        }
    }

    private static ChatCompletionCreateParams.Builder chat(String model) {
        return ChatCompletionCreateParams.builder()
                .model(model)
                .addUserMessage("What is paged attention?")
                .maxCompletionTokens(8)
                .temperature(0);
    }

    private static String streamed(OpenAIClient client, String model) {
        ChatCompletionAccumulator all = ChatCompletionAccumulator.create();
        ChatCompletionCreateParams params =
                chat(model)
                        .streamOptions(
                                ChatCompletionStreamOptions.builder().includeUsage(true).build())
                        .build();
        try (StreamResponse<ChatCompletionChunk> stream =
                client.chat().completions().createStreaming(params)) {
            stream.stream().forEach(all::accumulate);
        }
        ChatCompletion result = all.chatCompletion();
        assertTrue(result.usage().orElseThrow().totalTokens() > 0);
        return result.choices().getFirst().message().content().orElseThrow();
    }

    private static void twoChoices(OpenAIClient client, String model) {
        ChatCompletionAccumulator all = ChatCompletionAccumulator.create();
        try (StreamResponse<ChatCompletionChunk> stream =
                client.chat().completions().createStreaming(chat(model).n(2).build())) {
            stream.stream().forEach(all::accumulate);
        }
        assertEquals(2, all.chatCompletion().choices().size());
    }

    private static void completions(OpenAIClient client, String model) {
        CompletionCreateParams params =
                CompletionCreateParams.builder()
                        .model(model)
                        .prompt("Once")
                        .maxTokens(4)
                        .temperature(0)
                        .build();
        String text = client.completions().create(params).choices().getFirst().text();
        StringBuilder pieces = new StringBuilder();
        try (StreamResponse<Completion> stream = client.completions().createStreaming(params)) {
            stream.stream().forEach(chunk -> chunk.choices().forEach(c -> pieces.append(c.text())));
        }
        assertEquals(text, pieces.toString());
    }

    /** The client asks for base64 where nothing is said, and gives numbers all the same. */
    private static void embeddings(OpenAIClient client, String model) {
        EmbeddingCreateParams.Builder params =
                EmbeddingCreateParams.builder()
                        .model(model)
                        .inputOfArrayOfStrings(List.of("Once", "Once upon a time"));
        CreateEmbeddingResponse answer = client.embeddings().create(params.build());
        CreateEmbeddingResponse numbers =
                client.embeddings()
                        .create(
                                params.encodingFormat(EmbeddingCreateParams.EncodingFormat.FLOAT)
                                        .build());
        assertEquals(2, answer.data().size());
        assertTrue(answer.usage().promptTokens() > 0);
        assertEquals(numbers.data().getLast().embedding(), answer.data().getLast().embedding());
        assertThrows(
                BadRequestException.class,
                () ->
                        client.embeddings()
                                .create(
                                        EmbeddingCreateParams.builder()
                                                .model(model)
                                                .input("")
                                                .build()));
    }

    private static void errors(OpenAIClient client, String model) {
        BadRequestException bad =
                assertThrows(
                        BadRequestException.class,
                        () -> client.chat().completions().create(chat(model).n(99).build()));
        assertEquals("n", bad.param().orElseThrow());
        NotFoundException missing =
                assertThrows(
                        NotFoundException.class,
                        () -> client.chat().completions().create(chat("none").build()));
        assertEquals("model_not_found", missing.code().orElseThrow());
    }

    private static void cancel(OpenAIClient client, String model) {
        ChatCompletionCreateParams params = chat(model).maxCompletionTokens(400).build();
        try (StreamResponse<ChatCompletionChunk> stream =
                client.chat().completions().createStreaming(params)) {
            assertTrue(stream.stream().findFirst().isPresent());
        }
    }

    /** The same with the npm client, in its own process. */
    static void node(String baseUrl, String model) throws IOException, InterruptedException {
        Assumptions.assumeTrue(isThere("node") && isThere("npm"), "node or npm is not installed");
        Path source =
                Path.of(
                        System.getProperty("cortado.root", "../.."),
                        "java-engine/server/src/test/js");
        Path work = Path.of("target", "js").toAbsolutePath();
        Files.createDirectories(work);
        for (String name : new String[] {"package.json", "package-lock.json", "client-test.mjs"}) {
            Files.write(work.resolve(name), Files.readAllBytes(source.resolve(name)));
        }
        if (!Files.isDirectory(work.resolve("node_modules/openai"))) {
            run(work, "npm", "ci", "--no-audit", "--no-fund", "--prefer-offline");
        }
        run(work, "node", "client-test.mjs", baseUrl, model);
    }

    private static boolean isThere(String program) throws InterruptedException {
        try {
            return new ProcessBuilder(program, "--version")
                            .redirectErrorStream(true)
                            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                            .start()
                            .waitFor()
                    == 0;
        } catch (IOException e) {
            return false;
        }
    }

    private static void run(Path folder, String... command)
            throws IOException, InterruptedException {
        Path log = Files.createTempFile(folder, "run", ".log");
        Process process =
                new ProcessBuilder(command)
                        .directory(folder.toFile())
                        .redirectErrorStream(true)
                        .redirectOutput(log.toFile())
                        .start();
        boolean isDone = process.waitFor(180, TimeUnit.SECONDS);
        if (!isDone) {
            process.destroyForcibly();
        }
        String output = Files.readString(log);
        Files.delete(log);
        assertTrue(
                isDone && process.exitValue() == 0,
                () -> String.join(" ", command) + "\n" + output);
    }
}
