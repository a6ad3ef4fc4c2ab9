package io.cortado.bench.chaos;

import io.cortado.bench.chaos.Ask.Manner;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;

/** Draws requests: all that the server offers, well and badly formed, from well and ill-behaved. */
final class Mix {
    /** The name that the server goes by. */
    static final String MODEL = "chaos";

    private static final String[] WORDS = {
        "paged", "attention", "block", "cache", "token", "the", "of", "what", "is", "a", "stream",
        "scheduler", "when", "memory", "prefix", "runs", "out", "and", "why", "batch", "model",
                "JVM"
    };
    private static final int FAT_OBJECTS = 100_000;
    private static final int MAX_HEADER = 20_000;

    private final SplittableRandom random;
    private final List<Canary> canaries;
    private final String shared;

    /**
     * @param canaries with what they expect
     */
    Mix(long seed, List<Canary> canaries) {
        random = new SplittableRandom(seed);
        this.canaries = canaries;
        shared = words(new SplittableRandom(1), 60); // the same for all clients
    }

    Ask next() {
        int draw = random.nextInt(100);
        if (draw < 22) {
            return chat("chat_stream", true, 1);
        } else if (draw < 32) {
            return chat("chat", false, 1);
        } else if (draw < 42) {
            return completion("long_prompt", true, 1, 100 + random.nextInt(200));
        } else if (draw < 49) {
            return completion("n", random.nextBoolean(), 2 + random.nextInt(3), 30);
        } else if (draw < 53) {
            return manyPrompts();
        } else if (draw < 60) {
            return embeddings();
        } else if (draw < 73) {
            return leaving();
        } else if (draw < 76) {
            return stalling();
        } else if (draw < 88) {
            return canaries.get(random.nextInt(canaries.size())).ask();
        }
        return malformed();
    }

    private Ask chat(String kind, boolean stream, int n) {
        String system = random.nextInt(3) == 0 ? "" : message("system", shared) + ",";
        String body =
                "{\"model\":\""
                        + MODEL
                        + "\",\"messages\":["
                        + system
                        + message("user", words(random, 2 + random.nextInt(20)))
                        + "],"
                        + sampling(8 + random.nextInt(64), n, stream)
                        + "}";
        return Ask.of(kind, "/v1/chat/completions", body, n);
    }

    private static String message(String role, String text) {
        return "{\"role\":\"" + role + "\",\"content\":\"" + text + "\"}";
    }

    private Ask completion(String kind, boolean stream, int n, int words) {
        String body =
                "{\"model\":\""
                        + MODEL
                        + "\",\"prompt\":\""
                        + words(random, words)
                        + "\","
                        + sampling(8 + random.nextInt(48), n, stream)
                        + "}";
        return Ask.of(kind, "/v1/completions", body, n);
    }

    private Ask manyPrompts() {
        String body =
                "{\"model\":\""
                        + MODEL
                        + "\",\"prompt\":[\""
                        + words(random, 10)
                        + "\",\""
                        + shared
                        + "\",\""
                        + words(random, 3)
                        + "\"],"
                        + sampling(20, 1, random.nextBoolean())
                        + "}";
        return Ask.of("many_prompts", "/v1/completions", body, 3);
    }

    private String sampling(int maxTokens, int n, boolean stream) {
        String more = random.nextInt(4) == 0 ? ",\"stop\":[\"cache\",\"zzz\"]" : "";
        return "\"max_tokens\":%d,\"n\":%d,\"stream\":%b,\"temperature\":%.1f,\"ignore_eos\":%b%s"
                .formatted(
                        maxTokens,
                        n,
                        stream,
                        random.nextInt(13) / 10.0,
                        random.nextBoolean(),
                        more);
    }

    private Ask embeddings() {
        String body =
                "{\"model\":\""
                        + MODEL
                        + "\",\"input\":[\""
                        + words(random, 5 + random.nextInt(100))
                        + "\",\""
                        + words(random, 4)
                        + "\"]}";
        return Ask.of("embeddings", "/v1/embeddings", body, 2);
    }

    private Ask leaving() {
        Ask ask =
                switch (random.nextInt(4)) {
                    case 0 -> completion("leave", true, 3, 60);
                    case 1 -> chat("leave", false, 1);
                    case 2 -> embeddings();
                    default -> chat("leave", true, 1);
                };
        return switch (random.nextInt(5)) {
            case 0 -> ask.manner(Manner.HALF, 0);
            case 1, 2 -> ask.manner(Manner.RESET, random.nextInt(12));
            default -> ask.manner(Manner.LEAVE, random.nextInt(12));
        };
    }

    /** More output than the buffers on the way to the client hold. */
    private Ask stalling() {
        String body =
                "{\"model\":\""
                        + MODEL
                        + "\",\"messages\":["
                        + message("user", words(random, 8))
                        + "],\"max_tokens\":500,\"ignore_eos\":true,\"stream\":true,"
                        + "\"logprobs\":true,\"top_logprobs\":20}";
        return Ask.of("stall", "/v1/chat/completions", body, 1).manner(Manner.STALL, 0);
    }

    private Ask malformed() {
        String model = "{\"model\":\"" + MODEL + "\",";
        return switch (random.nextInt(12)) {
            case 0 -> bad("{", 400);
            case 1 -> bad("{\"model\":\"nobody\",\"prompt\":\"a\"}", 404);
            case 2 -> bad(model + "\"prompt\":\"a\",\"max_tokens\":-1}", 400);
            case 3 -> bad(model + "\"prompt\":\"a\",\"n\":1000000000}", 400);
            case 4 -> bad(model + "\"prompt\":[1,2,99999999]}", 400);
            case 5 -> bad(model + "\"prompt\":\"" + words(random, 3000) + "\"}", 400);
            case 6 -> bad(model + "\"prompt\":\"a\",\"temperature\":1e308}", 400);
            case 7 -> bad("[" + "{},".repeat(FAT_OBJECTS) + "{}]", 400);
            case 8 -> raw(id -> HttpSocket.request("GET", "/v1/completions", id, ""), 405);
            case 9 -> raw(id -> HttpSocket.request("POST", "/v1/nothing", id, "{}"), 404);
            case 10 -> raw(_ -> "\u0001\u0002 nonsense\r\n\r\n", 400);
            default ->
                    raw(
                            _ ->
                                    "GET /health HTTP/1.1\r\nHost: localhost\r\nX: "
                                            + "y".repeat(MAX_HEADER)
                                            + "\r\n\r\n",
                            431);
        };
    }

    private static Ask bad(String body, int status) {
        return Ask.of("malformed", "/v1/completions", body, 0).refusedWith(status, 429);
    }

    private static Ask raw(UnaryOperator<String> text, int status) {
        return new Ask("malformed", text, Set.of(status), 0, Manner.READ, 0, null);
    }

    private static String words(SplittableRandom from, int count) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < count; i++) {
            text.append(i == 0 ? "" : " ").append(WORDS[from.nextInt(WORDS.length)]);
        }
        return text.toString();
    }
}
