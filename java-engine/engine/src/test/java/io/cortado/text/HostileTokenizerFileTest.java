package io.cortado.text;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class HostileTokenizerFileTest {
    @Test
    void mergeOfUnknownTokensIsRefused() {
        refuses("not in model.vocab", TinyTokenizer.json("[]", "[\"zz b\"]"));
        refuses("not in model.vocab", TinyTokenizer.json("[]", "[\"c d\"]"));
        refuses("not a pair", TinyTokenizer.json("[]", "[\"a b c\"]"));
        refuses("not a pair", TinyTokenizer.json("[]", "[[\"a\"]]"));
    }

    @Test
    void idsThatAreNegativeHugeOrTakenAreRefused() {
        String good = TinyTokenizer.json("[]", "[]");
        refuses("=-1", good.replace("\"abab\":257", "\"abab\":-1"));
        refuses("=2147483647", good.replace("\"abab\":257", "\"abab\":2147483647"));
        refuses("=99999999999", good.replace("\"abab\":257", "\"abab\":99999999999"));
        refuses("two tokens", good.replace("\"abab\":257", "\"abab\":256"));
        refuses("acceptable JSON", good.replace("\"abab\":257", "\"ab\":257"));
        refuses("id must be", TinyTokenizer.json("[{\"id\":-5,\"content\":\"x1\"}]", "[]"));
    }

    @Test
    void addedTokensThatAreHugeEmptyOrRepeatedAreRefused() {
        refuses(
                "acceptable JSON",
                TinyTokenizer.json(
                        "[{\"id\":300,\"content\":\"" + "x".repeat(10 << 20) + "\"}]", "[]"));
        refuses(
                "chars=5000",
                TinyTokenizer.json(
                        "[{\"id\":300,\"content\":\"" + "x".repeat(5000) + "\"}]", "[]"));
        refuses("chars=0", TinyTokenizer.json("[{\"id\":300,\"content\":\"\"}]", "[]"));
        refuses(
                "twice",
                TinyTokenizer.json(
                        "[{\"id\":300,\"content\":\"q1\"},{\"id\":301,\"content\":\"q1\"}]", "[]"));
    }

    @Test
    void endlessMergesAndAddedTokensAreRefused() {
        refuses(
                "model.merges is too long: entries=2000001",
                TinyTokenizer.json("[]", "[" + "0,".repeat(2_000_000) + "0]"));
        refuses("Token count", TinyTokenizer.json("[]", "[" + "0,".repeat(12_000_000) + "0]"));
        var added = new StringBuilder("[");
        for (int i = 0; i < 3000; i++) {
            added.append(i == 0 ? "" : ",")
                    .append("{\"id\":300,\"content\":\"")
                    .append("x".repeat(1000))
                    .append(i)
                    .append("\"}");
        }
        refuses("too long together", TinyTokenizer.json(added.append("]").toString(), "[]"));
    }

    @Test
    void piecesScoresAndMapsMustBeSound() {
        String head = "{\"model\":{\"type\":\"Unigram\",\"vocab\":";
        refuses("piece is not a text and a score", head + "[[\"a\",\"b\"]]}}");
        refuses("whole number in [0, 0]: unk_id=1", head + "[[\"a\",1]],\"unk_id\":1}}");
        refuses("too long", head + "[[\"" + "a".repeat(2000) + "\",1]]}}");
        String map =
                "{\"model\":{\"vocab\":{}},\"normalizer\":{\"type\":\"Precompiled\","
                        + "\"precompiled_charsmap\":\"%s\"}}";
        refuses("not base64", map.formatted("*"));
        refuses("trieBytes=-1", map.formatted(""));
        refuses("trieBytes=2147483647", map.formatted("////f w==".replace(" ", "")));
    }

    @Test
    void deepOrBrokenJsonIsRefused() {
        refuses("acceptable JSON", "[".repeat(100_000));
        refuses("acceptable JSON", "{\"model\":");
        refuses("no model", "{}");
        refuses("no model", "[]");
        refuses(
                "array",
                "{\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":3},\"decoder\":{\"type\":\"ByteLevel\"}}");
    }

    @Test
    void templatesThatRepeatOrLackATextAreRefused() {
        String a = "{\"Sequence\":{\"id\":\"A\"}}";
        String b = "{\"Sequence\":{\"id\":\"B\"}}";
        refuses("single must have each of its texts once: A=2", template(a + "," + a, a + "," + b));
        refuses("single must have each of its texts once: A=0", template("", a + "," + b));
        refuses("pair must have each of its texts once: A=1 B=0", template(a, a));
        refuses("must be A or B: id=C", template(a.replace("A", "C"), a + "," + b));
        refuses(
                "special_tokens.x must be an array",
                template(a + ",{\"SpecialToken\":{\"id\":\"x\"}}", a + "," + b));
        refuses("type_id=-1", template(a.replace("\"A\"", "\"A\",\"type_id\":-1"), a + "," + b));
    }

    private static String template(String single, String pair) {
        return TinyTokenizer.json("[]", "[]")
                .replaceFirst(
                        "\\{",
                        "{\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":["
                                + single
                                + "],\"pair\":["
                                + pair
                                + "]},");
    }

    @Test
    void unknownPartsAreRefusedByName() {
        String good = TinyTokenizer.json("[]", "[]");
        String added = "\"added_tokens\"";
        refuses(
                "normalizer=NFX",
                good.replace(added, "\"normalizer\":{\"type\":\"NFX\"}," + added));
        refuses(
                "NFC field=deep",
                good.replace(added, "\"normalizer\":{\"type\":\"NFC\",\"deep\":1}," + added));
        refuses("tokenizer.json field=extra", good.replace(added, "\"extra\":1," + added));
        refuses("version=2.0", good.replace(added, "\"version\":\"2.0\"," + added));
        refuses("dropout", good.replace("\"merges\"", "\"dropout\":0.1,\"merges\""));
        refuses("model=Bigram", good.replace("\"merges\"", "\"type\":\"Bigram\",\"merges\""));
        refuses("BPE field=speed", good.replace("\"merges\"", "\"speed\":1,\"merges\""));
    }

    private static void refuses(String reason, String json) {
        var error =
                assertThrows(
                        TokenizerFormatException.class,
                        () -> Tokenizer.parse(json.getBytes(StandardCharsets.UTF_8)));
        assertTrue(String.valueOf(error.getMessage()).contains(reason), error::toString);
    }
}
