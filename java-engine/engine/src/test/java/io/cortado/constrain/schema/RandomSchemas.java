package io.cortado.constrain.schema;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Small random schemas, as JSON, and small random values that they are about. */
final class RandomSchemas {
    private static final List<String> SCALARS =
            List.of(
                    "null", "true", "false", "0", "1", "2", "-1", "0.5", "\"\"", "\"a\"", "\"b\"",
                    "\"ab\"");
    private static final List<String> KEYS = List.of("\"a\"", "\"b\"", "\"ab\"");
    // None whose opposite only a line end is in: the vocabulary could not spell it.
    private static final List<String> PATTERNS =
            List.of("\"a\"", "\"^b\"", "\"^a?b?$\"", "\"^[ab]$\"");
    private static final List<String> TYPES =
            List.of("null", "boolean", "integer", "number", "string", "array", "object");

    private final Random random;
    private final boolean asksUnevaluated;

    RandomSchemas(Random random) {
        this.random = random;
        asksUnevaluated = random.nextInt(4) == 0;
    }

    private String one(List<String> options) {
        return options.get(random.nextInt(options.size()));
    }

    /** A schema with one definition that it may refer to. */
    String document() {
        String body = members(3);
        return "{\"$defs\":{\"d\":" + schema(1) + "}" + (body.isEmpty() ? "" : "," + body) + "}";
    }

    private String schema(int depth) {
        if (random.nextInt(12) == 0) {
            return random.nextBoolean() ? "true" : "false";
        }
        return "{" + members(depth) + "}";
    }

    private String members(int depth) {
        List<String> names = new ArrayList<>();
        var out = new StringBuilder();
        int wanted = 1 + random.nextInt(depth > 1 ? 4 : 2);
        for (int i = 0; i < wanted; i++) {
            String member = member(depth);
            String name = member.substring(0, member.indexOf(':'));
            if (!names.contains(name)) {
                names.add(name);
                out.append(out.isEmpty() ? "" : ",").append(member);
            }
        }
        return out.toString();
    }

    private String member(int depth) {
        int choice = random.nextInt(depth > 0 ? 34 : 16);
        int sub = depth - 1;
        return switch (choice) {
            case 0, 1 -> "\"type\":\"" + one(TYPES) + "\"";
            case 2 -> "\"type\":[\"" + one(TYPES) + "\",\"" + one(TYPES) + "\"]";
            case 3 -> "\"enum\":[" + value(1) + "," + value(1) + "," + value(0) + "]";
            case 4 -> "\"const\":" + value(1);
            case 5 -> "\"minimum\":" + number();
            case 6 -> "\"exclusiveMaximum\":" + number();
            case 7 -> "\"multipleOf\":" + one(List.of("1", "2", "0.5"));
            case 8 -> "\"minLength\":" + random.nextInt(3);
            case 9 -> "\"maxLength\":" + random.nextInt(3);
            case 10 -> "\"pattern\":" + one(PATTERNS);
            case 11 -> "\"required\":[" + one(KEYS) + "]";
            case 12 -> "\"maxProperties\":" + random.nextInt(3);
            case 13 -> "\"minProperties\":" + random.nextInt(3);
            case 14 -> "\"maxItems\":" + random.nextInt(3);
            case 15 -> "\"minItems\":" + random.nextInt(3);
            case 16, 17 -> "\"properties\":{\"a\":" + schema(sub) + ",\"b\":" + schema(sub) + "}";
            case 18 -> "\"additionalProperties\":" + schema(sub);
            case 19 -> "\"patternProperties\":{" + one(PATTERNS) + ":" + schema(sub) + "}";
            case 20 -> "\"propertyNames\":" + schema(0);
            case 21 -> "\"items\":" + schema(sub);
            case 22 -> "\"prefixItems\":[" + schema(sub) + "]";
            case 23 -> "\"contains\":" + schema(sub);
            case 24 ->
                    "\"contains\":"
                            + schema(sub)
                            + ",\"minContains\":"
                            + random.nextInt(3)
                            + ",\"maxContains\":"
                            + random.nextInt(3);
            case 25 -> "\"uniqueItems\":true";
            case 26 -> "\"allOf\":[" + schema(sub) + "," + schema(sub) + "]";
            case 27 -> "\"anyOf\":[" + schema(sub) + "," + schema(sub) + "]";
            case 28 -> "\"oneOf\":[" + schema(sub) + "," + schema(sub) + "]";
            case 29 -> "\"not\":" + schema(sub);
            case 30 ->
                    "\"if\":"
                            + schema(sub)
                            + ",\"then\":"
                            + schema(sub)
                            + ",\"else\":"
                            + schema(sub);
            case 31 -> "\"dependentRequired\":{" + one(KEYS) + ":[" + one(KEYS) + "]}";
            case 32 ->
                    asksUnevaluated
                            ? "\"unevaluatedProperties\":" + schema(sub)
                            : "\"dependentSchemas\":{" + one(KEYS) + ":" + schema(sub) + "}";
            default ->
                    asksUnevaluated
                            ? "\"unevaluatedItems\":" + schema(sub)
                            : "\"$ref\":\"#/$defs/d\"";
        };
    }

    private String number() {
        return one(List.of("0", "1", "-1", "0.5", "2"));
    }

    /** A value with so many levels of arrays and objects at most. */
    String value(int depth) {
        int choice = random.nextInt(depth > 0 ? 4 : 2);
        if (choice < 2) {
            return one(SCALARS);
        }
        int size = random.nextInt(4);
        List<String> parts = new ArrayList<>();
        List<String> keys = new ArrayList<>();
        for (int i = 0; i < size; i++) {
            String key = one(KEYS);
            if (choice == 3 && keys.contains(key)) {
                continue;
            }
            keys.add(key);
            parts.add((choice == 3 ? key + ": " : "") + value(depth - 1));
        }
        String inner = String.join(", ", parts);
        return choice == 3 ? "{" + inner + "}" : "[" + inner + "]";
    }
}
