package io.cortado.constrain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.text.Suites;
import io.cortado.text.Tokenizer;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;

/** Slices, tries and crossings between lexemes, against taking each token by itself. */
class RealVocabularyTest {
    /** Of the tokens every so manieth is compared, other ones at each place. */
    private static final int STRIDE = 5;

    private static final String JSON =
            """
            root ::= value
            value ::= object | array | string | number | "true" | "false" | "null"
            object ::= "{" ws ( pair ("," ws pair)* )? "}"
            pair ::= string ":" ws value
            array ::= "[" ws ( value ("," ws value)* )? "]"
            string ::= "\\"" char{0,40} "\\""
            char ::= [^"\\\\\\x00-\\x1F] | "\\\\" (["\\\\/bfnrt] | "u" [0-9a-fA-F]{4})
            number ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)?
            ws ::= [ \\n]?
            """;

    @Test
    void masksHoldWhatIsAcceptedAndNothingElse() throws IOException {
        TokenTable vocabulary = table();
        Map<String, Integer> ids = new HashMap<>();
        for (int id = 0; id < vocabulary.size(); id++) {
            ids.put(new String(vocabulary.bytes(id), StandardCharsets.ISO_8859_1), id);
        }
        Matcher matcher = Grammars.gbnf(JSON, "root", vocabulary, GrammarLimits.DEFAULT).matcher();
        String[] tokens = {
            "{\"",
            "name",
            "\":",
            " \"",
            "some text of the value, longer",
            "\\",
            "\",",
            "\n",
            "\"x\": -1"
        };
        compare(matcher, vocabulary);
        for (String part : tokens) {
            for (int at = 0; at < part.length(); ) {
                int to = part.length();
                while (!ids.containsKey(part.substring(at, to))) {
                    to--;
                }
                boolean isTaken = matcher.accept(id(ids, part.substring(at, to)));
                if (!isTaken) {
                    assertEquals("\\", part, "only the escape may need another character");
                }
                at = to;
            }
            if (part.equals("\\")) {
                compare(matcher, vocabulary);
                assertTrue(matcher.accept(id(ids, "n")));
            }
            compare(matcher, vocabulary);
        }
    }

    @Test
    void fewLettersMayGoOnInTheNextLexeme() throws IOException {
        TokenTable vocabulary = table();
        String grammar =
                """
                root ::= [A-Za-z0-9_]{1,3} tail
                tail ::= "ing" | "(" tail ")"
                """;
        Matcher matcher =
                Grammars.gbnf(grammar, "root", vocabulary, GrammarLimits.DEFAULT).matcher();
        compare(matcher, vocabulary);
        assertTrue(matcher.accept(single(vocabulary, (byte) 'a')));
        compare(matcher, vocabulary);
        assertTrue(matcher.accept(single(vocabulary, (byte) 'b')));
        compare(matcher, vocabulary);
    }

    /** Masks made of those of all keys, and those of a grammar that another has made before. */
    @Test
    void keysThatAreNotNamedMayBeginAsNamedOnes() throws IOException {
        TokenTable vocabulary = table();
        for (String names : List.of("na|name|names|né", "na|name|names|né", "name")) {
            for (String begun : List.of("\"", "\"na", "\"nam", "\"name", "\"x")) {
                Matcher matcher = keys(vocabulary, names.split("\\|")).matcher();
                for (byte value : begun.getBytes(StandardCharsets.UTF_8)) {
                    assertTrue(matcher.accept(single(vocabulary, value)), begun);
                }
                compare(matcher, vocabulary);
            }
        }
    }

    /** A named key and a number, or another key and a text, then the same again. */
    private static CompiledGrammar keys(TokenTable vocabulary, String... names) {
        var regexes = new Regexes(GrammarLimits.DEFAULT);
        Regex letter = regexes.codePoints(CodePoints.ofRanges('"', '"', '\\', '\\', 0, 31).not());
        Regex named = regexes.or(Arrays.stream(names).map(regexes::literal).toList());
        Regex other = regexes.and(regexes.star(letter), regexes.not(named));
        Regex quote = regexes.literal("\"");
        Regex colon =
                regexes.concat(regexes.literal("\":"), regexes.optional(regexes.literal(" ")));
        Regex number = regexes.plus(regexes.bytes(ByteSet.range('0', '9')));
        Regex text = regexes.concat(List.of(quote, regexes.repeat(letter, 0, 300), quote));
        var parts = new ArrayList<Syntax>();
        for (Regex key : List.of(named, other)) {
            Syntax before = new Syntax.Lexeme(regexes.concat(List.of(quote, key, colon)));
            Syntax value = new Syntax.Lexeme(key == named ? number : text);
            parts.add(new Syntax.Sequence(List.of(before, value)));
        }
        Syntax pair = new Syntax.Choice(parts);
        Syntax comma = new Syntax.Lexeme(regexes.literal(","));
        Syntax all = new Syntax.Sequence(List.of(pair, comma, pair));
        RuleState root = Syntax.start(all, regexes);
        return CompiledGrammar.of(root, regexes, GrammarLimits.DEFAULT, vocabulary);
    }

    private static int single(TokenTable vocabulary, byte value) {
        for (int id = 0; id < vocabulary.size(); id++) {
            byte[] bytes = vocabulary.bytes(id);
            if (bytes.length == 1 && bytes[0] == value) {
                return id;
            }
        }
        throw new AssertionError("no token of one byte: " + value);
    }

    private static int id(Map<String, Integer> ids, String text) {
        return Objects.requireNonNull(ids.get(text), text);
    }

    private static void compare(Matcher matcher, TokenTable vocabulary) {
        int[] mask = Masks.mask(matcher, vocabulary);
        for (int id = matcher.numTokens() % STRIDE; id < vocabulary.size(); id += STRIDE) {
            boolean isAccepted = matcher.accept(id);
            if (isAccepted) {
                matcher.rollback(1);
            }
            assertEquals(isAccepted, Masks.has(mask, id), "token id=" + id);
        }
    }

    private static TokenTable table() throws IOException {
        try (InputStream in =
                new GZIPInputStream(
                        Files.newInputStream(
                                Suites.shared("suites/vocab/r50k_base.tiktoken.gz")))) {
            Tokenizer tokenizer = Tokenizer.parseTiktoken(in.readAllBytes(), "r50k_base");
            int end = tokenizer.idOf("<|endoftext|>").orElseThrow();
            return TokenTable.of(tokenizer, tokenizer.vocabSize() + 47, end);
        }
    }
}
