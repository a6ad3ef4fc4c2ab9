package io.cortado.text;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a tiktoken file does not say and its publisher's code does: the split pattern and the
 * control tokens with their ids.
 */
enum TiktokenFamily {
    O200K("o200k", 199_998, PublishedPatterns.O200K) {
        @Override
        Map<String, Integer> controlTokens(int ranks) {
            return Map.of("<|endoftext|>", 199_999, "<|endofprompt|>", 200_018);
        }
    },
    CL100K("cl100k", 100_256, PublishedPatterns.LLAMA3) {
        @Override
        Map<String, Integer> controlTokens(int ranks) {
            return Map.of(
                    "<|endoftext|>",
                    100_257,
                    "<|fim_prefix|>",
                    100_258,
                    "<|fim_middle|>",
                    100_259,
                    "<|fim_suffix|>",
                    100_260,
                    "<|endofprompt|>",
                    100_276);
        }
    },
    P50K("p50k", 50_280, PublishedPatterns.GPT2) {
        @Override
        Map<String, Integer> controlTokens(int ranks) {
            return Map.of("<|endoftext|>", 50_256);
        }
    },
    R50K("r50k", 50_256, PublishedPatterns.GPT2) {
        @Override
        Map<String, Integer> controlTokens(int ranks) {
            return Map.of("<|endoftext|>", 50_256);
        }
    },
    QWEN("qwen", 151_643, PublishedPatterns.QWEN2) {
        @Override
        Map<String, Integer> controlTokens(int ranks) {
            var names = new ArrayList<>(List.of("<|endoftext|>", "<|im_start|>", "<|im_end|>"));
            for (int i = 0; i < 205; i++) {
                names.add("<|extra_" + i + "|>");
            }
            return inOrder(names, ranks);
        }

        @Override
        boolean composes() {
            return true;
        }
    },
    LLAMA3("llama", 128_000, PublishedPatterns.LLAMA3) {
        @Override
        Map<String, Integer> controlTokens(int ranks) {
            var names =
                    new ArrayList<>(
                            List.of(
                                    "<|begin_of_text|>",
                                    "<|end_of_text|>",
                                    "<|reserved_special_token_0|>",
                                    "<|reserved_special_token_1|>",
                                    "<|finetune_right_pad_id|>",
                                    "<|step_id|>",
                                    "<|start_header_id|>",
                                    "<|end_header_id|>",
                                    "<|eom_id|>",
                                    "<|eot_id|>",
                                    "<|python_tag|>"));
            for (int i = 2; names.size() < 256; i++) {
                names.add("<|reserved_special_token_" + i + "|>");
            }
            return inOrder(names, ranks);
        }

        @Override
        @Nullable String bos() {
            return "<|begin_of_text|>";
        }
    },
    /** Names of some are in the configuration beside the file; the rest is reserved. */
    KIMI("kimi", 163_584, PublishedPatterns.KIMI) {
        @Override
        Map<String, Integer> controlTokens(int ranks) {
            var names = new ArrayList<String>();
            for (int i = 0; i < 256; i++) {
                names.add("<|reserved_token_" + (ranks + i) + "|>");
            }
            return inOrder(names, ranks);
        }
    },
    /** All control tokens are in the configuration beside the file. */
    GLM4("glm", 151_329, PublishedPatterns.LLAMA3) {
        @Override
        Map<String, Integer> controlTokens(int ranks) {
            return Map.of();
        }
    };

    private final String word;
    private final int ranks;
    private final String pattern;

    TiktokenFamily(String word, int ranks, String pattern) {
        this.word = word;
        this.ranks = ranks;
        this.pattern = pattern;
    }

    /**
     * The family of a file: by a word of its name or of the model's type, else by the number of its
     * ranks.
     */
    static TiktokenFamily of(String name, int ranks) {
        String lower = name.toLowerCase(Locale.ROOT);
        for (TiktokenFamily family : values()) {
            if (lower.contains(family.word)) {
                return family;
            }
        }
        for (TiktokenFamily family : values()) {
            if (family.ranks == ranks) {
                return family;
            }
        }
        throw new UnsupportedTokenizerException(
                "tiktoken file of an unknown family, whose split pattern is in no file: name="
                        + TokenizerFile.clip(name)
                        + " ranks="
                        + ranks
                        + " known="
                        + List.of(values()));
    }

    /** The control tokens that the publisher's code adds, with their ids. */
    abstract Map<String, Integer> controlTokens(int ranks);

    /** The control token that the publisher's code puts before each text, or null. */
    @Nullable String bos() {
        return null;
    }

    boolean composes() {
        return false;
    }

    String pattern() {
        return pattern;
    }

    private static Map<String, Integer> inOrder(List<String> names, int first) {
        var ids = new LinkedHashMap<String, Integer>();
        for (String name : names) {
            ids.put(name, first + ids.size());
        }
        return ids;
    }
}
