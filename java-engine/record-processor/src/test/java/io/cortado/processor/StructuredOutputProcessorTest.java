package io.cortado.processor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.RecordType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.stream.Stream;
import javax.annotation.processing.Processor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the compiler says is what the engine would say, word for word. */
class StructuredOutputProcessorTest {
    private static final String HEAD =
            """
            package a;
            import com.fasterxml.jackson.annotation.*;
            import java.math.*;
            import java.time.*;
            import java.util.*;
            import org.jspecify.annotations.Nullable;
            @io.cortado.api.StructuredOutput
            """;

    @TempDir private Path folder;

    private Compiled compiled(String body, Processor... processors) throws IOException {
        return Compiled.of(folder, Map.of("R.java", HEAD + body), processors);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "record R(List items) {}",
                "record R(Map rights) {}",
                "record R(Optional gone) {}",
                "record R(Object value) {}",
                "record R(Number value) {}",
                "record R(ArrayList<String> items) {}",
                "record R(Map<String, ArrayList<int[]>> items) {}",
                "record R(List<? extends Number> items) {}",
                "record R(List<?> items) {}",
                "record R(List<? super Integer> items) {}",
                "record R(Set<List<? extends Number>> items) {}",
                "record R<T extends Record>(T value) {}",
                "record R(G<String> inner) {} record G<T>(T value) {}",
                "record R(Map<Integer, String> map) {}",
                "record R(Map<List<String>, String> map) {}",
                "record R(Map<String[], String> map) {}",
                "record R(Map<?, String> map) {}",
                "record R(Map<String, Object> map) {}",
                "record R(String a, @JsonProperty(\"a\") String b) {}",
                "record R(List<Optional<String>> items) {}",
                "record R(Optional<Optional<String>> item) {}",
                "record R(Optional<Object> item) {}",
                "record R(List<String>[][] items) {}",
                "record R(Thread[] items) {}",
                "record R(Instant when) {}",
                "record R(OptionalInt number) {}",
                "@JsonRootName(\"r\") record R(int a) {}",
                "record R(@JsonFormat(pattern = \"x\") LocalDate day) {}",
                "record R(int a) { @JsonGetter public int a() { return a; } }",
                "record R(int a) { @JsonCreator R(int a) { this.a = a; } }",
                "record R(E e) {} enum E { A; @JsonValue int n() { return 1; } }",
                "record R(E e) {} enum E { @JsonEnumDefaultValue A }",
                "record R(Map<E, String> e) {} enum E { A; @JsonValue int n() { return 1; } }",
                "record R(E e) {} enum E {}",
                "record R(E e) {} enum E { @JsonProperty(\"B\") A, B }",
                "record R(Outer.Inner inner) {} class Outer { static class Inner {} }",
                "record R(List<Outer.Inner> inner) {} class Outer { record Inner(Void v) {} }",
                "record R(int value, R next) {}",
                "record R(List<S> some, S one) {} record S(R back) {}",
                "class R {}"
            })
    void saysWhatTheEngineWouldSay(String body) throws Exception {
        Compiled unchecked = compiled(body);
        assertEquals(List.of(), unchecked.messages(), "a source must be right but for the rule");
        Class<?> type = unchecked.load("a.R");
        var refused =
                assertThrows(IllegalArgumentException.class, () -> derive(type), "the engine");
        List<String> messages = compiled(body, new StructuredOutputProcessor()).messages();
        assertEquals(List.of(String.valueOf(refused.getMessage())), messages);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "record R() {}",
                "record R(String s, byte b, Short c, long l, BigInteger i, BigDecimal d, float f,"
                        + " Double g, char h, boolean j, UUID k, LocalDate m, int[] n,"
                        + " String @Nullable [] o, List<@Nullable String> p) {}",
                "record R(Set<Map<E, S>> s, Optional<List<S>> o, SequencedMap<String, int[][]> m,"
                        + " Iterable<E> i) {} record S(R @Nullable [] r) {} enum E { A, B }",
                "record R(@Nullable R next, Optional<R> other, List<R> more,"
                        + " @JsonProperty(isRequired = OptBoolean.FALSE) R late) {}",
                "record R(@JsonIgnore Object a, @JsonProperty(access ="
                        + " JsonProperty.Access.READ_ONLY) Thread b, @JsonProperty(\"c\") int a2,"
                        + " @JsonPropertyDescription(\"x\") @JsonAlias(\"q\") int d) {}",
                "record R(String a, @JsonProperty(\"A\") String b, @JsonProperty(\"\") int c) {}",
                "record R(int a) { R { if (a < 0) throw new IllegalArgumentException(); }"
                        + " R(String s) { this(1); } }"
            })
    void takesWhatTheEngineTakes(String body) throws Exception {
        derive(compiled(body).load("a.R"));
        assertEquals(List.of(), compiled(body, new StructuredOutputProcessor()).messages());
    }

    private static void derive(Class<?> type) {
        // Generics end here: what is no record is refused by its kind.
        @SuppressWarnings({"unchecked", "rawtypes"})
        RecordType<?> unused = RecordType.of((Class) type);
    }

    @Test
    void saysAllThatIsWrongWhereItStands() throws IOException {
        Compiled compiled =
                compiled(
                        "record R(Object a,\n int b,\n S c) {}\nrecord S(\n Thread d) {}",
                        new StructuredOutputProcessor());
        List<String> messages = compiled.messages();
        assertEquals(2, messages.size(), messages.toString());
        assertTrue(messages.get(0).contains("of java.lang.Object: R.a"), messages.get(0));
        assertTrue(messages.get(1).contains("of java.lang.Thread: S.d"), messages.get(1));
        long first = HEAD.lines().count() + 1;
        assertEquals(first, compiled.errors().get(0).getLineNumber());
        assertEquals(first + 4, compiled.errors().get(1).getLineNumber());
    }

    @Test
    void leavesOtherRecordsAlone() throws IOException {
        String source = "package a; record R(Object value) {}";
        var compiled =
                Compiled.of(folder, Map.of("R.java", source), new StructuredOutputProcessor());
        assertEquals(List.of(), compiled.messages());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "|public|false",
                "exports a;|public|true",
                "exports a;||false",
                "opens a;||true",
                "opens a to java.logging;||false",
                "exports a to java.logging;|public|false"
            })
    void wantsRecordsThatTheEngineMayMake(String directiveModifierOpen) throws IOException {
        String[] parts = directiveModifierOpen.split("\\|", -1);
        Map<String, String> sources = new HashMap<>();
        sources.put("module-info.java", "module m { requires java.logging; " + parts[0] + "}");
        sources.put("R.java", "package a; " + parts[1] + " record R(int a) {}");
        List<String> messages = Compiled.of(folder, sources, new AccessProbe()).messages();
        List<String> wanted = Boolean.parseBoolean(parts[2]) ? List.of() : List.of("closed: a.R");
        assertEquals(wanted, messages);
    }

    @Test
    void isFoundAsAService() {
        Stream<Class<? extends Processor>> types =
                ServiceLoader.load(Processor.class).stream().map(ServiceLoader.Provider::type);
        assertTrue(types.anyMatch(StructuredOutputProcessor.class::equals));
    }
}
