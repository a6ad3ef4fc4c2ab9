package io.cortado.bench.chaos;

import java.io.IOException;

/** What the server's metrics tell at one moment. */
final class Scrape {
    private final String text;

    private Scrape(String text) {
        this.text = text;
    }

    static Scrape of(int port) throws IOException {
        try (HttpSocket socket = HttpSocket.open(port)) {
            socket.send(HttpSocket.request("GET", "/metrics", "scrape", ""));
            HttpSocket.Head head = socket.readHead();
            if (head.status() != 200) {
                throw new IOException("/metrics answers " + head.status());
            }
            return new Scrape(socket.readBody(head));
        }
    }

    /** The sum over the lines of a metric. */
    double sum(String name) {
        double sum = 0;
        boolean isThere = false;
        for (String line : text.split("\n")) {
            if (line.startsWith(name + "{")) {
                sum += Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1));
                isThere = true;
            }
        }
        if (!isThere) {
            throw new IllegalStateException("/metrics has no " + name);
        }
        return sum;
    }

    /** True if nothing runs, waits or holds blocks. */
    boolean isIdle() {
        return sum("cortado_num_requests_running") == 0
                && sum("cortado_num_requests_waiting") == 0
                && sum("cortado_waiting_prompt_tokens") == 0
                && sum("cortado_kv_cache_usage_perc") == 0;
    }

    @Override
    public String toString() {
        return "running=%.0f waiting=%.0f waiting_tokens=%.0f kv_usage=%.3f answers=%.0f"
                .formatted(
                        sum("cortado_num_requests_running"),
                        sum("cortado_num_requests_waiting"),
                        sum("cortado_waiting_prompt_tokens"),
                        sum("cortado_kv_cache_usage_perc"),
                        sum("cortado_http_responses_total"));
    }
}
