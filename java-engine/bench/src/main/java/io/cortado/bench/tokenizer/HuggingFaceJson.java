package io.cortado.bench.tokenizer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Writes a vocabulary of ranks as the {@code tokenizer.json} that converters make of it. */
public final class HuggingFaceJson {
    private HuggingFaceJson() {}

    private record Merge(int rank, String left, String right) {}

    /**
     * The file's content.
     *
     * @param tokens the bytes of each id
     */
    public static byte[] of(List<byte[]> tokens, String pattern) {
        var root = JsonNodeFactory.instance.objectNode();
        root.put("version", "1.0");
        root.putArray("added_tokens");
        ArrayNode steps =
                root.putObject("pre_tokenizer").put("type", "Sequence").putArray("pretokenizers");
        ObjectNode split = steps.addObject().put("type", "Split");
        split.putObject("pattern").put("Regex", pattern);
        split.put("behavior", "Isolated").put("invert", false);
        steps.addObject()
                .put("type", "ByteLevel")
                .put("add_prefix_space", false)
                .put("trim_offsets", true)
                .put("use_regex", false);
        root.putObject("decoder")
                .put("type", "ByteLevel")
                .put("add_prefix_space", true)
                .put("trim_offsets", true)
                .put("use_regex", true);
        ObjectNode model = root.putObject("model").put("type", "BPE").put("ignore_merges", true);
        ObjectNode vocab = model.putObject("vocab");
        var ids = new HashMap<String, Integer>();
        for (int id = 0; id < tokens.size(); id++) {
            String spelled = spell(tokens.get(id));
            ids.put(spelled, id);
            vocab.put(spelled, id);
        }
        ArrayNode merges = model.putArray("merges");
        for (Merge merge : merges(ids)) {
            merges.add(merge.left + " " + merge.right);
        }
        return JsonMapper.builder().build().writeValueAsBytes(root);
    }

    /** Every way to make a token of two others, by the token's rank. */
    private static List<Merge> merges(Map<String, Integer> ids) {
        var merges = new ArrayList<Merge>();
        ids.forEach((token, id) -> {
            for (int cut = 1; cut < token.length(); cut++) {
                String left = token.substring(0, cut);
                String right = token.substring(cut);
                if (ids.containsKey(left) && ids.containsKey(right)) {
                    merges.add(new Merge(id, left, right));
                }
            }
        });
        merges.sort(
                Comparator.comparingInt(Merge::rank)
                        .thenComparingInt(merge -> ids.getOrDefault(merge.left, 0)));
        return merges;
    }

    /** GPT-2's letters: printable bytes are themselves, the others come after U+0100. */
    private static String spell(byte[] bytes) {
        var letters = new char[bytes.length];
        for (int i = 0; i < letters.length; i++) {
            letters[i] = LETTERS[bytes[i] & 0xFF];
        }
        return new String(letters);
    }

    private static final char[] LETTERS = letters();

    private static char[] letters() {
        var letters = new char[256];
        int next = 0x100;
        for (int b = 0; b < letters.length; b++) {
            boolean isPrintable = (b >= '!' && b <= '~') || (b >= 0xA1 && b != 0xAD);
            letters[b] = (char) (isPrintable ? b : next++);
        }
        return Arrays.copyOf(letters, letters.length);
    }
}
