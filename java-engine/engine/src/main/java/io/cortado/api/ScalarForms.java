package io.cortado.api;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.lang.reflect.Field;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.LocalDate;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The forms of types that are a string, a number or a boolean. */
final class ScalarForms {
    /** Digits that an integer without bounds may have when it is written out. */
    private static final int MAX_DIGITS = 10_000;

    private ScalarForms() {}

    /** Null where the type is none of these. */
    static @Nullable ValueForm of(Class<?> type) {
        if (type.isEnum()) {
            return enumeration(type);
        }
        return switch (type.getName()) {
            case "java.lang.String" -> ValueForm.ofText(schema("string"), "a string", text -> text);
            case "boolean", "java.lang.Boolean" ->
                    new ValueForm(
                            schema("boolean"),
                            (node, at) -> {
                                if (!node.isBoolean()) {
                                    throw ValueForm.refused("a boolean", node, at);
                                }
                                return node.booleanValue();
                            });
            case "byte", "java.lang.Byte" ->
                    integer(Byte.MIN_VALUE, Byte.MAX_VALUE, BigDecimal::byteValueExact);
            case "short", "java.lang.Short" ->
                    integer(Short.MIN_VALUE, Short.MAX_VALUE, BigDecimal::shortValueExact);
            case "int", "java.lang.Integer" ->
                    integer(Integer.MIN_VALUE, Integer.MAX_VALUE, BigDecimal::intValueExact);
            case "long", "java.lang.Long" ->
                    integer(Long.MIN_VALUE, Long.MAX_VALUE, BigDecimal::longValueExact);
            case "java.math.BigInteger" -> number(schema("integer"), ScalarForms::wholeNumber);
            case "java.math.BigDecimal" -> number(schema("number"), value -> value);
            case "float", "java.lang.Float" ->
                    number(bounded(Float.MAX_VALUE), BigDecimal::floatValue);
            case "double", "java.lang.Double" ->
                    number(bounded(Double.MAX_VALUE), BigDecimal::doubleValue);
            case "char", "java.lang.Character" ->
                    ValueForm.ofText(
                            schema("string").put("pattern", "^[\\u0000-\\uFFFF]$"),
                            "a string of one char",
                            ScalarForms::character);
            case "java.util.UUID" ->
                    ValueForm.ofText(
                            schema("string").put("format", "uuid"), "a UUID", UUID::fromString);
            case "java.time.LocalDate" ->
                    ValueForm.ofText(
                            schema("string").put("format", "date"), "a date", LocalDate::parse);
            default -> null;
        };
    }

    private static ObjectNode schema(String type) {
        return JsonNodeFactory.instance.objectNode().put("type", type);
    }

    private static ValueForm integer(long min, long max, Function<BigDecimal, ?> maker) {
        return number(schema("integer").put("minimum", min).put("maximum", max), maker);
    }

    /** What is finite: the exponent of a larger one is not for JSON, but for Java to lose. */
    private static ObjectNode bounded(double max) {
        return schema("number").put("minimum", -max).put("maximum", max);
    }

    private static ValueForm number(ObjectNode schema, Function<BigDecimal, ?> maker) {
        String expected = "a number that " + schema + " accepts";
        return new ValueForm(
                schema,
                (node, at) -> {
                    if (!node.isNumber()) {
                        throw ValueForm.refused(expected, node, at);
                    }
                    try {
                        return maker.apply(node.decimalValue());
                    } catch (ArithmeticException e) {
                        throw ValueForm.refused(expected, node, at);
                    }
                });
    }

    private static BigInteger wholeNumber(BigDecimal value) {
        if ((long) value.precision() - value.scale() > MAX_DIGITS) {
            throw new ArithmeticException("over " + MAX_DIGITS + " digits");
        }
        return value.toBigIntegerExact();
    }

    private static char character(String text) {
        if (text.length() != 1) {
            throw new IllegalArgumentException(text);
        }
        return text.charAt(0);
    }

    private static ValueForm enumeration(Class<?> type) {
        Map<String, Object> constants = new LinkedHashMap<>();
        for (Field field : type.getDeclaredFields()) {
            if (field.isEnumConstant()) {
                constants.put(name(field), constant(type, field.getName()));
            }
        }
        ObjectNode schema = JsonNodeFactory.instance.objectNode();
        ArrayNode names = schema.putArray("enum");
        constants.keySet().forEach(names::add);
        return ValueForm.ofText(
                schema,
                "one of " + names,
                text -> Objects.requireNonNull(constants.get(text), text));
    }

    /** What JSON calls an enum's constant. */
    static String name(Field constant) {
        JsonProperty named = constant.getAnnotation(JsonProperty.class);
        return named == null || named.value().isEmpty() ? constant.getName() : named.value();
    }

    private static Object constant(Class<?> type, String name) {
        for (Object constant : Objects.requireNonNull(type.getEnumConstants())) {
            if (((Enum<?>) constant).name().equals(name)) {
                return constant;
            }
        }
        throw new AssertionError(name);
    }
}
