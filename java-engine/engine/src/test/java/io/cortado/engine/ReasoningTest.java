package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Constraint;
import io.cortado.api.Engine;
import io.cortado.api.FinishReason;
import io.cortado.api.GenerationRequest;
import io.cortado.api.Prompt;
import io.cortado.api.Reasoning;
import io.cortado.api.SamplingParams;
import io.cortado.text.AddedTokenMatch;
import io.cortado.text.Tokenizer;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Constraints that wait for the end of the reasoning, through the whole engine. The demo model does
 * not reason: a bias makes its markers likely.
 */
@Timeout(value = 300, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ReasoningTest {
    private static final Reasoning TOKENS = new Reasoning("<tool_call>", "</tool_call>");
    private static final Reasoning LETTERS = new Reasoning("<t>", "</t>");
    private static final String ANSWER = "\\{[0-9]{1,3}\\}";

    private static SamplingParams params(Reasoning reasoning, Map<Integer, Float> bias) {
        return SamplingParams.builder()
                .temperature(1.5f)
                .seed(11L)
                .n(8)
                .maxTokens(1500)
                .logitBias(bias)
                .constraint(new Constraint.AfterReasoning(new Constraint.Regex(ANSWER), reasoning))
                .build();
    }

    private static Map<Integer, Float> bias(float value, String... texts) throws IOException {
        Tokenizer tokenizer = Tokenizer.open(DemoEngine.folder());
        Map<Integer, Float> bias = new HashMap<>();
        for (String text : texts) {
            for (int id : tokenizer.encode(text, false, AddedTokenMatch.ALL)) {
                bias.put(id, value);
            }
        }
        return bias;
    }

    private static Answers ask(Engine engine, String prompt, SamplingParams params)
            throws Exception {
        int[] ids = Tokenizer.open(DemoEngine.folder()).encode(prompt, false, AddedTokenMatch.ALL);
        Answers answers =
                Answers.read(engine.generate(new GenerationRequest(Prompt.tokens(ids), params)));
        assertNull(answers.failure);
        assertEquals(params.n(), answers.answers.size());
        return answers;
    }

    private static void assertEnds(Answers.Answer answer, String pattern) {
        assertInstanceOf(FinishReason.EndToken.class, answer.reason, answer.text());
        assertTrue(answer.text().matches("(?s)" + pattern), answer.text());
    }

    @Test
    void theAnswerBeginsBehindTheMarker() throws Exception {
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            for (Answers.Answer each :
                    ask(engine, "Think. <tool_call>\n", params(TOKENS, bias(20, "</tool_call>")))
                            .answers) {
                assertEnds(each, "(?:(?!</tool_call>).)*</tool_call>\\s*" + ANSWER);
            }
            for (Answers.Answer each :
                    ask(engine, "Think. <t>", params(LETTERS, bias(60, "<", "/", "t", ">")))
                            .answers) {
                assertEnds(each, "(?:(?!</t>).)*</t>\\s*" + ANSWER);
                assertTrue(each.ids.size() > 8, each.text());
            }
        }
    }

    @Test
    void aClosedRegionConstrainsAtOnce() throws Exception {
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            SamplingParams params = params(TOKENS, bias(20, "<tool_call>"));
            for (Answers.Answer each :
                    ask(engine, "<tool_call>\n\n</tool_call>\n\n", params).answers) {
                assertEnds(each, ANSWER);
            }
        }
    }

    /** Where the prompt says nothing, the model opens the region, or answers. */
    @Test
    void theModelChoosesWhetherToReason() throws Exception {
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            SamplingParams reasons = params(TOKENS, bias(25, "<tool_call>", "</tool_call>"));
            for (Answers.Answer each : ask(engine, "Hello", reasons).answers) {
                assertEnds(each, "<tool_call>(?:(?!</tool_call>).)*</tool_call>\\s*" + ANSWER);
            }
            for (Answers.Answer each :
                    ask(engine, "Hello", params(TOKENS, bias(25, "{"))).answers) {
                assertEnds(each, ANSWER);
            }
        }
    }

    /** The marker and the answer begin with the same letters. */
    @Test
    void markerAndAnswerAreToldApart() throws Exception {
        Reasoning brackets = new Reasoning("{{", "}}");
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            int reasoned = 0;
            int answered = 0;
            for (int more = 0; more <= 30; more += 5) {
                Map<Integer, Float> bias = bias(60, "}", "7");
                bias.putAll(bias(50 + more, "{"));
                for (Answers.Answer each : ask(engine, "Hello", params(brackets, bias)).answers) {
                    boolean opens = each.text().startsWith("{{");
                    reasoned += opens ? 1 : 0;
                    answered += opens ? 0 : 1;
                    assertTrue(opens || each.text().matches(ANSWER), each.text());
                    if (each.reason instanceof FinishReason.EndToken) {
                        String thought = "\\{\\{(?:(?!\\}\\}).)*\\}\\}\\s*";
                        assertEnds(each, opens ? thought + ANSWER : ANSWER);
                    }
                }
            }
            assertTrue(reasoned > 0 && answered > 0, reasoned + " and " + answered);
        }
    }

    @Test
    void aCutReasoningIsNoAnswerAndNoError() throws Exception {
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            SamplingParams params = params(TOKENS, Map.of()).toBuilder().n(2).maxTokens(12).build();
            for (Answers.Answer each : ask(engine, "<tool_call>", params).answers) {
                assertInstanceOf(FinishReason.Length.class, each.reason);
                assertEquals(12, each.ids.size());
            }
        }
    }

    @Test
    void theDemoModelHasNoMarkersOfItsOwn() throws Exception {
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            assertNull(engine.model().reasoning());
            assertEquals(List.of(3317, 3315), engine.model().endTokenIds());
        }
    }
}
