package io.cortado.server.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.cortado.server.Reports;
import java.util.List;
import org.junit.jupiter.api.Test;

class ExplanationTest {

    @Test
    void tellsEveryPartAndTheGreatest() {
        assertEquals(
                List.of(
                        "request   req-7 of acme: stop",
                        "tokens    2048 of the prompt, 64 put out",
                        "time      900.0 ms = 200.0 queued + 300.0 to the first token + 400.0 to the end",
                        "queued    behind 12 waiting and 4 running; 9 started first; 41 steps computed 18432"
                                + " prompt and 160 output tokens of others",
                        "          150.0 ms all places were taken",
                        "          20.0 ms KV blocks were short",
                        "          10.0 ms the steps' tokens were used up",
                        "          20.0 ms the step under way had to end, or others came first",
                        "prefill   2016 tokens in 8 chunks, 290.0 ms; 32 more from the cache (16 by way of"
                                + " host memory)",
                        "          its part of these steps' tokens was 50%; one had 3 other prompts",
                        "decode    63 steps, 390.0 ms: 50 of decodes alone at 4.00 ms, 13 with prompts of"
                                + " others at 14.62 ms",
                        "          the slowest took 31.00 ms: 5 sequences, 512 tokens, 508 of prompts",
                        "drafts    60 of 84 tokens stood, 3.86 tokens a step with a draft",
                        "preempted 1 time: 110.0 ms until it ran again, 1024 tokens computed again",
                        "cost      240.0 ms of the device, 12.500 MB s of KV cache",
                        "mostly    drew its tokens: 28% of its time"),
                Explanation.of(Reports.report("req-7", "acme", 3, 2048, 64)));
    }
}
