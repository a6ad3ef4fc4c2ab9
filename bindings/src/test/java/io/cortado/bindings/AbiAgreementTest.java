package io.cortado.bindings;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemoryLayout;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The header, the library, {@code includes.txt} and the generated classes tell the same ABI. */
class AbiAgreementTest {
    private static final Path ROOT = Path.of(System.getProperty("cortado.root", ".."));

    private static String header;
    private static String includes;
    private static String table;

    @BeforeAll
    static void readAll() throws Exception {
        header = Files.readString(ROOT.resolve("native/include/cortado.h"));
        includes = Files.readString(ROOT.resolve("bindings/includes.txt"));
        NativeLibrary.load();
        table = CortadoNative.ct_abi_table().getString(0);
    }

    private static Set<String> find(String regex, String text) {
        return Pattern.compile(regex, Pattern.MULTILINE)
                .matcher(text)
                .results()
                .map(found -> found.group(1))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private static Map<String, Long> numbers(String regex, String text) {
        Map<String, Long> numbers = new TreeMap<>();
        for (MatchResult found :
                Pattern.compile(regex, Pattern.MULTILINE).matcher(text).results().toList()) {
            numbers.put(found.group(1), Long.parseLong(found.group(2)));
        }
        return numbers;
    }

    @Test
    void functionsAreTheSameEverywhere() {
        Set<String> declared = find("^CT_API [^(]*?(ct_\\w+)\\(", header);
        assertFalse(declared.isEmpty());
        assertEquals(declared, find("^--include-function (\\w+)", includes), "includes.txt");
        assertEquals(declared, find("^function (\\w+)", table), "ct_abi_table");
        Set<String> bound = new TreeSet<>();
        for (Method method : CortadoNative.class.getDeclaredMethods()) {
            if (method.getName().endsWith("$descriptor")) {
                bound.add(method.getName().replace("$descriptor", ""));
            }
        }
        assertEquals(declared, bound, "CortadoNative");
    }

    @Test
    void parametersAreThoseOfTheHeader() {
        Map<String, String> declared = new TreeMap<>();
        Pattern declaration =
                Pattern.compile("^CT_API [^(]*?(ct_\\w+)\\(([^)]*)\\)", Pattern.MULTILINE);
        for (MatchResult found : declaration.matcher(header).results().toList()) {
            StringBuilder kinds = new StringBuilder();
            for (String parameter : found.group(2).split(",")) {
                kinds.append(kind(parameter));
            }
            declared.put(found.group(1), kinds.toString());
        }
        Map<String, String> bound = new TreeMap<>();
        for (Method method : CortadoNative.class.getDeclaredMethods()) {
            if (declared.containsKey(method.getName())) {
                StringBuilder types = new StringBuilder();
                for (Class<?> type : method.getParameterTypes()) {
                    types.append(type.getSimpleName()).append(' ');
                }
                bound.put(method.getName(), types.toString());
            }
        }
        assertEquals(declared, bound);
    }

    private static String kind(String parameter) {
        if (parameter.contains("*")) {
            return "MemorySegment ";
        }
        String type = parameter.strip().split("\\s+")[0];
        return switch (type) {
            case "int64_t" -> "long ";
            case "int32_t" -> "int ";
            case "float" -> "float ";
            case "ct_host_function" -> "MemorySegment ";
            case "void" -> "";
            default -> throw new AssertionError("unknown type in the header: " + parameter);
        };
    }

    @Test
    void constantsAreTheSameEverywhere() throws Exception {
        Map<String, Long> declared = numbers("\\b(CT_\\w+) = (-?\\d+)", header);
        declared.putAll(numbers("^#define (CT_\\w+) (-?\\d+)", header));
        assertFalse(declared.isEmpty());
        assertEquals(declared, numbers("^(?:enum|define) (\\w+) (-?\\d+)", table), "library");
        Set<String> included = find("^--include-constant (\\w+)", includes);
        assertEquals(declared.keySet(), included, "includes.txt");
        Map<String, Long> bound = new TreeMap<>();
        for (Method method : CortadoNative.class.getDeclaredMethods()) {
            if (method.getName().startsWith("CT_")) {
                bound.put(method.getName(), ((Number) method.invoke(null)).longValue());
            }
        }
        assertEquals(declared, bound, "CortadoNative");
    }

    @Test
    void structuresAreTheSameEverywhere() throws Exception {
        Set<String> declared = find("^\\} (ct_\\w+);", header);
        Set<String> all = find("^typedef struct (ct_\\w+) ct_\\w+;", header);
        all.addAll(declared);
        assertEquals(all, find("^--include-struct (\\w+)", includes), "includes.txt");
        Map<String, Long> sizes = new TreeMap<>();
        Map<String, Long> offsets = new TreeMap<>();
        for (String name : declared) {
            Class<?> type = Class.forName("io.cortado.bindings." + name);
            sizes.put(name, (Long) type.getMethod("sizeof").invoke(null));
            for (MemoryLayout member : layout(name).memberLayouts()) {
                if (member.name().isPresent()) {
                    String field = member.name().get();
                    long offset = (Long) type.getMethod(field + "$offset").invoke(null);
                    offsets.put(name + " " + field, offset);
                }
            }
        }
        assertEquals(numbers("^struct (\\w+) (\\d+)", table), sizes);
        assertEquals(numbers("^field (\\w+ \\w+) (\\d+) \\d+$", table), offsets);
    }

    @Test
    void fieldsHaveTheSizesOfTheLibrary() throws Exception {
        Pattern line = Pattern.compile("^field (\\w+) (\\w+) \\d+ (\\d+)$", Pattern.MULTILINE);
        for (MatchResult field : line.matcher(table).results().toList()) {
            MemoryLayout member =
                    layout(field.group(1))
                            .select(MemoryLayout.PathElement.groupElement(field.group(2)));
            assertEquals(Long.parseLong(field.group(3)), member.byteSize(), field.group());
        }
    }

    private static GroupLayout layout(String name) throws ReflectiveOperationException {
        Class<?> type = Class.forName("io.cortado.bindings." + name);
        return (GroupLayout) type.getMethod("layout").invoke(null);
    }
}
