package io.cortado.constrain.schema;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * JSON Schema 2020-12 as the specification states it, one keyword after the other, over schemas and
 * values as Java collections.
 */
final class SimpleValidator {
    /** What a schema's success says was evaluated. */
    private record Evaluated(Set<String> keys, Set<Integer> items) {
        Evaluated() {
            this(new HashSet<>(), new HashSet<>());
        }

        void add(Evaluated other) {
            keys.addAll(other.keys);
            items.addAll(other.items);
        }
    }

    private final Object root;

    SimpleValidator(Object root) {
        this.root = root;
    }

    boolean isValid(Object value) {
        return check(root, value) != null;
    }

    private boolean holds(Object schema, Object value) {
        return check(schema, value) != null;
    }

    /** Null where the value is not valid. */
    private @Nullable Evaluated check(Object schema, Object value) {
        if (schema instanceof Boolean is) {
            return is ? new Evaluated() : null;
        }
        Map<?, ?> keywords = (Map<?, ?>) schema;
        if (!checkGeneral(keywords, value)) {
            return null;
        }
        var evaluated = new Evaluated();
        if (!checkCombinations(keywords, value, evaluated)) {
            return null;
        }
        boolean isValid =
                switch (value) {
                    case BigDecimal number -> checkNumber(keywords, number);
                    case String string -> checkString(keywords, string);
                    case List<?> items -> checkArray(keywords, items, evaluated);
                    case Map<?, ?> members -> checkObject(keywords, members, evaluated);
                    default -> true;
                };
        return isValid ? evaluated : null;
    }

    private static boolean checkGeneral(Map<?, ?> keywords, Object value) {
        if (keywords.containsKey("type")) {
            Object type = keywords.get("type");
            List<?> types = type instanceof List<?> list ? list : List.of(type);
            if (types.stream().noneMatch(name -> isOfType(String.valueOf(name), value))) {
                return false;
            }
        }
        if (keywords.get("enum") instanceof List<?> values && !values.contains(value)) {
            return false;
        }
        return !keywords.containsKey("const") || keywords.get("const").equals(value);
    }

    private static boolean isOfType(String type, Object value) {
        return switch (type) {
            case "null" -> value.equals(Json.NULL);
            case "boolean" -> value instanceof Boolean;
            case "string" -> value instanceof String;
            case "number" -> value instanceof BigDecimal;
            case "integer" -> value instanceof BigDecimal number && number.scale() <= 0;
            case "array" -> value instanceof List<?>;
            default -> value instanceof Map<?, ?>;
        };
    }

    private boolean checkCombinations(Map<?, ?> keywords, Object value, Evaluated evaluated) {
        if (keywords.get("$ref") instanceof String reference) {
            Map<?, ?> definitions = (Map<?, ?>) required((Map<?, ?>) root, "$defs");
            Object target = required(definitions, reference.replace("#/$defs/", ""));
            Evaluated inner = check(target, value);
            if (inner == null) {
                return false;
            }
            evaluated.add(inner);
        }
        if (keywords.get("allOf") instanceof List<?> all
                && passing(all, value, evaluated) < all.size()) {
            return false;
        }
        if (keywords.get("anyOf") instanceof List<?> any && passing(any, value, evaluated) == 0) {
            return false;
        }
        if (keywords.get("oneOf") instanceof List<?> one && passing(one, value, evaluated) != 1) {
            return false;
        }
        if (keywords.containsKey("not") && holds(keywords.get("not"), value)) {
            return false;
        }
        if (keywords.containsKey("if")) {
            Evaluated test = check(keywords.get("if"), value);
            if (test != null) {
                evaluated.add(test);
            }
            Object branch = keywords.get(test != null ? "then" : "else");
            Evaluated inner = branch == null ? new Evaluated() : check(branch, value);
            if (inner == null) {
                return false;
            }
            evaluated.add(inner);
        }
        return true;
    }

    private int passing(List<?> schemas, Object value, Evaluated evaluated) {
        int count = 0;
        for (Object schema : schemas) {
            Evaluated inner = check(schema, value);
            if (inner != null) {
                count++;
                evaluated.add(inner);
            }
        }
        return count;
    }

    private static boolean checkNumber(Map<?, ?> keywords, BigDecimal value) {
        for (var keyword : keywords.entrySet()) {
            if (!(keyword.getValue() instanceof BigDecimal bound)) {
                continue;
            }
            boolean holds =
                    switch (String.valueOf(keyword.getKey())) {
                        case "minimum" -> value.compareTo(bound) >= 0;
                        case "maximum" -> value.compareTo(bound) <= 0;
                        case "exclusiveMinimum" -> value.compareTo(bound) > 0;
                        case "exclusiveMaximum" -> value.compareTo(bound) < 0;
                        case "multipleOf" -> value.remainder(bound).signum() == 0;
                        default -> true;
                    };
            if (!holds) {
                return false;
            }
        }
        return true;
    }

    private static boolean checkString(Map<?, ?> keywords, String value) {
        int length = value.codePointCount(0, value.length());
        return length >= count(keywords, "minLength", 0)
                && length <= count(keywords, "maxLength", Integer.MAX_VALUE)
                && (!(keywords.get("pattern") instanceof String pattern)
                        || Pattern.compile(pattern).matcher(value).find());
    }

    private static Object required(Map<?, ?> of, String name) {
        return Objects.requireNonNull(of.get(name), name);
    }

    private static int count(Map<?, ?> keywords, String name, int absent) {
        return keywords.get(name) instanceof BigDecimal number ? number.intValueExact() : absent;
    }

    private boolean checkArray(Map<?, ?> keywords, List<?> items, Evaluated evaluated) {
        if (items.size() < count(keywords, "minItems", 0)
                || items.size() > count(keywords, "maxItems", Integer.MAX_VALUE)
                || Boolean.TRUE.equals(keywords.get("uniqueItems"))
                        && new HashSet<>(items).size() < items.size()) {
            return false;
        }
        List<?> prefix = keywords.get("prefixItems") instanceof List<?> list ? list : List.of();
        int such = 0;
        for (int i = 0; i < items.size(); i++) {
            Object schema = i < prefix.size() ? prefix.get(i) : keywords.get("items");
            if (schema != null) {
                evaluated.items.add(i);
                if (!holds(schema, items.get(i))) {
                    return false;
                }
            }
            if (keywords.containsKey("contains") && holds(keywords.get("contains"), items.get(i))) {
                such++;
                evaluated.items.add(i);
            }
        }
        if (keywords.containsKey("contains")
                && (such < count(keywords, "minContains", 1)
                        || such > count(keywords, "maxContains", Integer.MAX_VALUE))) {
            return false;
        }
        if (keywords.containsKey("unevaluatedItems")) {
            for (int i = 0; i < items.size(); i++) {
                if (evaluated.items.add(i)
                        && !holds(keywords.get("unevaluatedItems"), items.get(i))) {
                    return false;
                }
            }
        }
        return true;
    }

    private boolean checkObject(Map<?, ?> keywords, Map<?, ?> members, Evaluated evaluated) {
        if (members.size() < count(keywords, "minProperties", 0)
                || members.size() > count(keywords, "maxProperties", Integer.MAX_VALUE)
                || keywords.get("required") instanceof List<?> required
                        && !members.keySet().containsAll(required)
                || !checkDependents(keywords, members, evaluated)) {
            return false;
        }
        for (var member : members.entrySet()) {
            String key = String.valueOf(member.getKey());
            if (keywords.containsKey("propertyNames")
                    && !holds(keywords.get("propertyNames"), key)) {
                return false;
            }
            List<Object> schemas = new ArrayList<>();
            if (keywords.get("properties") instanceof Map<?, ?> map && map.containsKey(key)) {
                schemas.add(map.get(key));
            }
            if (keywords.get("patternProperties") instanceof Map<?, ?> map) {
                map.forEach((pattern, schema) -> {
                    if (Pattern.compile(String.valueOf(pattern)).matcher(key).find()) {
                        schemas.add(schema);
                    }
                });
            }
            if (schemas.isEmpty() && keywords.containsKey("additionalProperties")) {
                schemas.add(keywords.get("additionalProperties"));
            }
            if (!schemas.isEmpty()) {
                evaluated.keys.add(key);
            }
            for (Object schema : schemas) {
                if (!holds(schema, member.getValue())) {
                    return false;
                }
            }
        }
        if (keywords.containsKey("unevaluatedProperties")) {
            for (var member : members.entrySet()) {
                if (evaluated.keys.add(String.valueOf(member.getKey()))
                        && !holds(keywords.get("unevaluatedProperties"), member.getValue())) {
                    return false;
                }
            }
        }
        return true;
    }

    private boolean checkDependents(Map<?, ?> keywords, Map<?, ?> members, Evaluated evaluated) {
        if (keywords.get("dependentRequired") instanceof Map<?, ?> map) {
            for (var entry : map.entrySet()) {
                if (members.containsKey(entry.getKey())
                        && !members.keySet().containsAll((List<?>) entry.getValue())) {
                    return false;
                }
            }
        }
        if (keywords.get("dependentSchemas") instanceof Map<?, ?> map) {
            for (var entry : map.entrySet()) {
                if (members.containsKey(entry.getKey())) {
                    Evaluated inner = check(entry.getValue(), members);
                    if (inner == null) {
                        return false;
                    }
                    evaluated.add(inner);
                }
            }
        }
        return true;
    }
}
