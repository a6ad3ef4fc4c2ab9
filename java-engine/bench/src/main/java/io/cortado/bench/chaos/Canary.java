package io.cortado.bench.chaos;

import java.util.List;

/**
 * A request whose answer must be the same whatever the server is busy with: the determinism
 * contract seen from outside. Fields that differ by nature, the id and the time, are left out.
 *
 * @param name for messages
 * @param path of the route
 * @param body of the request
 * @param answers choices or embeddings that it asks for
 * @param expected what it got at idle
 */
record Canary(String name, String path, String body, int answers, String expected) {
    static final List<Canary> ALL =
            List.of(
                    of("greedy", 1, "\"prompt\":\"What is paged attention?\",\"temperature\":0"),
                    of(
                            "seeded",
                            3,
                            "\"prompt\":\"Tell me about blocks of keys\",\"temperature\":0.9,"
                                    + "\"top_p\":0.9,\"seed\":77,\"n\":3"),
                    of(
                            "penned",
                            1,
                            "\"prompt\":\"The scheduler\",\"temperature\":1.2,\"top_k\":40,"
                                    + "\"min_p\":0.02,\"seed\":5,\"logit_bias\":{\"42\":-100}"),
                    new Canary(
                            "embedding",
                            "/v1/embeddings",
                            "{\"model\":\"" + Mix.MODEL + "\",\"input\":[\"one text\",\"two\"]}",
                            2,
                            ""));

    private static Canary of(String name, int answers, String fields) {
        String body =
                "{\"model\":\""
                        + Mix.MODEL
                        + "\",\"max_tokens\":40,\"ignore_eos\":true,\"logprobs\":2,"
                        + fields
                        + "}";
        return new Canary(name, "/v1/completions", body, answers, "");
    }

    Canary expecting(String told) {
        return new Canary(name, path, body, answers, told);
    }

    Ask ask() {
        return Ask.of("canary", path, body, answers).canary(this);
    }
}
