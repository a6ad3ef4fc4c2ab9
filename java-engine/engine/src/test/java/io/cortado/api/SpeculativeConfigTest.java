package io.cortado.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SpeculativeConfigTest {
    @Test
    void readsWhatVllmWrites() {
        assertEquals(
                Speculation.ngram(5).lookup(2, 4),
                SpeculativeConfig.parse(
                        "{\"method\":\"ngram\",\"num_speculative_tokens\":5,"
                                + "\"prompt_lookup_max\":4,\"prompt_lookup_min\":2}"));
        assertEquals(
                Speculation.ngram(3).lookup(1, 1),
                SpeculativeConfig.parse(
                        "{\"model\":\"[ngram]\",\"num_speculative_tokens\":3,\"prompt_lookup_max\":1}"));
        assertEquals(
                Speculation.draftModel("some/folder", 2).offAbove(16),
                SpeculativeConfig.parse(
                        "{\"model\":\"some/folder\",\"num_speculative_tokens\":2,"
                                + "\"disable_by_batch_size\":16}"));
        assertEquals(
                Speculation.eagle3("head", 4).adaptive(false),
                SpeculativeConfig.parse(
                        "{\"method\":\"eagle3\",\"model\":\"head\",\"adaptive\":false}"));
        assertEquals(
                Speculation.mtp(2),
                SpeculativeConfig.parse(
                        "{\"method\":\"mtp\",\"num_speculative_tokens\":2,"
                                + "\"rejection_sample_method\":\"standard\"}"));
        assertEquals(Speculation.suffix(4), SpeculativeConfig.parse("{\"method\":\"suffix\"}"));
    }

    @Test
    void readsTrees() {
        Speculation head = Speculation.eagle3("head", 5);
        assertEquals(
                head.tree(16, 3),
                SpeculativeConfig.parse(
                        "{\"method\":\"eagle3\",\"model\":\"head\",\"num_speculative_tokens\":5,"
                                + "\"tree_size\":16,\"tree_top_k\":3}"));
        Speculation fixed =
                SpeculativeConfig.parse(
                        "{\"method\":\"eagle3\",\"model\":\"head\",\"num_speculative_tokens\":4,"
                                + "\"speculative_token_tree\":\"[(0,), (1,), (0, 1), (0, 0)]\"}");
        assertEquals(2, fixed.tokens());
        assertEquals(4, fixed.nodes());
        assertEquals(
                new DraftShape.Fixed(List.of(List.of(0), List.of(1), List.of(0, 0), List.of(0, 1))),
                fixed.shape());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "[] | JSON object",
                "{ | JSON object",
                "{} | method",
                "{\"method\":\"medusa\"} | medusa",
                "{\"method\":\"ngram\",\"model\":\"x\"} | has no model",
                "{\"method\":\"eagle3\"} | needs a model",
                "{\"method\":\"ngram\",\"num_speculative_tokens\":0} | num_speculative_tokens",
                "{\"method\":\"ngram\",\"num_speculative_tokens\":33} | num_speculative_tokens",
                "{\"method\":\"ngram\",\"num_speculative_tokens\":1.5} | integer",
                "{\"method\":\"ngram\",\"prompt_lookup_max\":2,\"prompt_lookup_min\":3} | lookup_min",
                "{\"method\":\"ngram\",\"adaptive\":1} | true or false",
                "{\"method\":\"ngram\",\"rejection_sample_method\":\"block\"} | method=block",
                "{\"method\":\"ngram\",\"tree_size\":8} | trees are drafted by",
                "{\"method\":\"mtp\",\"tree_size\":65} | tree_size",
                "{\"method\":\"mtp\",\"tree_size\":8,\"tree_top_k\":21} | tree_top_k",
                "{\"method\":\"mtp\",\"tree_top_k\":2} | needs tree_size",
                "{\"method\":\"mtp\",\"speculative_token_tree\":\"[]\"} | speculative_token_tree",
                "{\"method\":\"mtp\",\"speculative_token_tree\":\"[(0,)\"} | list of tuples",
                "{\"method\":\"mtp\",\"speculative_token_tree\":\"[(0,),(0,)]\"} | twice",
                "{\"method\":\"mtp\",\"speculative_token_tree\":\"[(1,)]\"} | likelier",
                "{\"method\":\"mtp\",\"speculative_token_tree\":\"[(0,),(1,0)]\"} | leads to",
                "{\"method\":\"mtp\",\"speculative_token_tree\":\"[(0,),(20,)]\"} | to 19",
                "{\"method\":\"mtp\",\"speculative_token_tree\":\"[(0,)]\",\"tree_size\":2} | not both",
                "{\"method\":\"mtp\",\"num_speculative_tokens\":3,\"speculative_token_tree\":\"[(0,)]\"} | num_spec",
                "{\"method\":\"ngram\",\"draft_tensor_parallel_size\":1} | draft_tensor_parallel_size"
            })
    void refusesTheRestByName(String json, String named) {
        EngineException refusal =
                assertThrows(EngineException.class, () -> SpeculativeConfig.parse(json));
        assertEquals(EngineException.Code.INVALID_REQUEST, refusal.code());
        assertTrue(String.valueOf(refusal.getMessage()).contains(named), refusal::getMessage);
    }
}
