package io.cortado.api;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.annotation.JsonValue;
import com.fasterxml.jackson.annotation.OptBoolean;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.annotation.JsonNaming;

class RecordTypeTest {
    enum Role {
        ADMIN,
        @JsonProperty("plain-user")
        USER
    }

    record Address(String street, Optional<Integer> number) {}

    record Person(
            @JsonProperty("full_name") String name,
            @JsonPropertyDescription("in whole years") int age,
            Role role,
            List<Address> homes,
            Map<Role, Boolean> rights,
            Set<String> tags,
            @Nullable String note,
            @JsonIgnore long version,
            @JsonProperty(isRequired = OptBoolean.FALSE) @Nullable Address work) {}

    record Tree(int value, List<Tree> children) {}

    record Scalars(
            byte b,
            Short s,
            long l,
            BigInteger big,
            BigDecimal exact,
            float f,
            Double d,
            char c,
            boolean yes,
            UUID id,
            LocalDate day,
            int[] many,
            String @Nullable [] words,
            List<@Nullable String> gaps) {}

    record Even(int value) {
        Even {
            if (value % 2 != 0) {
                throw new IllegalStateException("odd: " + value);
            }
        }
    }

    @Test
    void derivesTheSchemaInTheOrderOfTheComponents() {
        assertEquals(
                "{\"type\":\"object\",\"properties\":{"
                        + "\"full_name\":{\"type\":\"string\"},"
                        + "\"age\":{\"type\":\"integer\",\"minimum\":-2147483648,"
                        + "\"maximum\":2147483647,\"description\":\"in whole years\"},"
                        + "\"role\":{\"enum\":[\"ADMIN\",\"plain-user\"]},"
                        + "\"homes\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/Address\"}},"
                        + "\"rights\":{\"type\":\"object\","
                        + "\"propertyNames\":{\"enum\":[\"ADMIN\",\"plain-user\"]},"
                        + "\"additionalProperties\":{\"type\":\"boolean\"}},"
                        + "\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},"
                        + "\"uniqueItems\":true},"
                        + "\"note\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]},"
                        + "\"work\":{\"anyOf\":[{\"$ref\":\"#/$defs/Address\"},"
                        + "{\"type\":\"null\"}]}},"
                        + "\"required\":[\"full_name\",\"age\",\"role\",\"homes\",\"rights\","
                        + "\"tags\",\"note\"],\"additionalProperties\":false,"
                        + "\"$defs\":{\"Address\":{\"type\":\"object\",\"properties\":{"
                        + "\"street\":{\"type\":\"string\"},\"number\":{\"type\":\"integer\","
                        + "\"minimum\":-2147483648,\"maximum\":2147483647}},"
                        + "\"required\":[\"street\"],\"additionalProperties\":false}}}",
                RecordType.of(Person.class).schema());
    }

    @Test
    void parsesWhatItDerives() {
        Person person =
                RecordType.of(Person.class)
                        .parse(
                                """
                                {"full_name":"Ada","age":3.6e1,"role":"plain-user","homes":[
                                 {"street":"a","number":7},{"street":"b"}],
                                 "rights":{"plain-user":false},"tags":["y","x"],"note":null}
                                """);
        assertEquals(
                new Person(
                        "Ada",
                        36,
                        Role.USER,
                        List.of(
                                new Address("a", Optional.of(7)),
                                new Address("b", Optional.empty())),
                        Map.of(Role.USER, false),
                        Set.of("x", "y"),
                        null,
                        0,
                        null),
                person);
        assertEquals(
                new Tree(1, List.of(new Tree(2, List.of()))),
                RecordType.of(Tree.class)
                        .parse("{\"value\":1,\"children\":[{\"value\":2,\"children\":[]}]}"));
    }

    @Test
    void parsesEachScalar() {
        Scalars scalars =
                RecordType.of(Scalars.class)
                        .parse(
                                """
                                {"b":-128,"s":9,"l":-9223372036854775808,"big":1e30,"exact":0.10,
                                 "f":0.5,"d":1.7976931348623157e308,"c":"é","yes":true,
                                 "id":"6ba7b810-9dad-11d1-80b4-00c04fd430c8","day":"2024-02-29",
                                 "many":[1,2],"words":null,"gaps":["a",null]}
                                """);
        assertEquals(Byte.MIN_VALUE, scalars.b());
        assertEquals(Long.MIN_VALUE, scalars.l());
        assertEquals(BigInteger.TEN.pow(30), scalars.big());
        assertEquals(new BigDecimal("0.10"), scalars.exact());
        assertEquals(Double.MAX_VALUE, scalars.d());
        assertEquals('é', scalars.c());
        assertEquals(LocalDate.of(2024, 2, 29), scalars.day());
        assertArrayEquals(new int[] {1, 2}, scalars.many());
        assertNull(scalars.words());
        assertEquals(Arrays.asList("a", null), scalars.gaps());
    }

    @Test
    void refusesATextAndSaysWhere() {
        RecordType<Person> type = RecordType.of(Person.class);
        String rest = ",\"role\":\"ADMIN\",\"homes\":[],\"rights\":{},\"tags\":[]";
        assertRefused(type, "{", "not JSON");
        assertRefused(type, "[]", "an object at the top");
        assertRefused(type, "{\"full_name\":7}", "/full_name");
        assertRefused(type, "{\"full_name\":\"a\",\"age\":1.5}", "/age");
        assertRefused(type, "{\"full_name\":\"a\",\"age\":3e9}", "/age");
        assertRefused(type, "{\"full_name\":\"a\",\"age\":1" + rest + "}", "missing: /note");
        assertRefused(type, "{\"version\":7}", "no component is named so: /version");
        assertRefused(type, "{\"role\":\"USER\"}", "one of");
        assertRefused(type, "{\"homes\":[{\"street\":\"a\"},{\"street\":1}]}", "/homes/1/street");
        assertRefused(type, "{\"age\":1,\"age\":2}", "not JSON");
        var big = RecordType.of(Scalars.class);
        assertRefused(big, "{\"big\":1e999999999}", "/big");
        assertRefused(big, "{\"c\":\"ab\"}", "/c");
        assertRefused(big, "{\"gaps\":[1]}", "/gaps/0");
        assertRefused(RecordType.of(Even.class), "{\"value\":3}", "odd: 3");
    }

    private static void assertRefused(RecordType<?> type, String text, String what) {
        var e = assertThrows(IllegalArgumentException.class, () -> type.parse(text));
        assertTrue(String.valueOf(e.getMessage()).contains(what), e.getMessage());
    }

    record Raw(@SuppressWarnings("rawtypes") List items) {}

    record Anything(Object value) {}

    record Concrete(ArrayList<String> items) {}

    record Wild(List<? extends Number> items) {}

    record Generic<T extends Record>(T value) {}

    record OfGeneric(Generic<Even> inner) {}

    record Keys(Map<Integer, String> map) {}

    record Twice(String a, @JsonProperty("a") String b) {}

    record Deep(List<Optional<String>> items) {}

    @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
    record Named(String fullName) {}

    record OfValue(ByValue value) {}

    enum ByValue {
        ONE;

        @JsonValue
        int number() {
            return ordinal();
        }
    }

    record Node(int value, Node next) {}

    record Left(List<Right> some, Right right) {}

    record Right(Left left) {}

    record Ends(@Nullable Ends next, Optional<Ends> other, List<Ends> more) {}

    enum Nothing {}

    record OfNothing(Nothing nothing) {}

    enum Same {
        @JsonProperty("B")
        A,
        B
    }

    record OfSame(Same same) {}

    record KeysOfValue(Map<ByValue, String> map) {}

    @Test
    void refusesWhatHasNoValue() {
        assertUnderivable(Node.class, "Node.next", "one of its own kind");
        assertUnderivable(Left.class, "Left.right", "one of its own kind");
        assertUnderivable(OfNothing.class, "OfNothing.nothing", "without constants");
        assertUnderivable(OfSame.class, "OfSame.same", "second constant named B");
        assertTrue(RecordType.of(Ends.class).schema().contains("\"$ref\":\"#\""));
    }

    @Test
    void refusesWhatItCannotDeriveAndSaysWhere() {
        assertUnderivable(KeysOfValue.class, "KeysOfValue.map", "@JsonValue");
        assertUnderivable(Raw.class, "Raw.items", "raw type");
        assertUnderivable(Anything.class, "Anything.value", "java.lang.Object");
        assertUnderivable(Concrete.class, "Concrete.items", "java.util.ArrayList");
        assertUnderivable(Wild.class, "Wild.items", "? extends java.lang.Number");
        assertUnderivable(Generic.class, "Generic", "type parameters");
        assertUnderivable(OfGeneric.class, "Generic", "type parameters");
        assertUnderivable(Keys.class, "Keys.map", "keys of java.lang.Integer");
        assertUnderivable(Twice.class, "Twice.b", "second component named a");
        assertUnderivable(Deep.class, "Deep.items", "java.util.Optional");
        assertUnderivable(Named.class, "Named", "@JsonNaming");
        assertUnderivable(OfValue.class, "OfValue.value", "@JsonValue");
    }

    private static void assertUnderivable(Class<? extends Record> type, String where, String what) {
        var e = assertThrows(IllegalArgumentException.class, () -> RecordType.of(type));
        String message = String.valueOf(e.getMessage());
        assertTrue(message.contains(where) && message.contains(what), message);
    }
}
