package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.api.LogitsProcessorFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.TreeMap;
import java.util.regex.Pattern;

/** The logits processors of an engine by name. Any thread. */
final class Processors {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_.-]{1,64}");

    private final Map<String, LogitsProcessorFactory> byName = new TreeMap<>();

    private Processors(Iterable<LogitsProcessorFactory> all) {
        for (LogitsProcessorFactory factory : all) {
            String name = factory.name();
            if (!NAME.matcher(name).matches()) {
                throw EngineException.invalid(
                        "logits-processors",
                        "names of logits processors must be 1 to 64 of A-Z a-z 0-9 _ . -: name="
                                + name);
            }
            if (byName.put(name, factory) != null) {
                throw EngineException.invalid(
                        "logits-processors", "two logits processors have one name: name=" + name);
            }
        }
    }

    /** Those given and those that the class path brings. */
    static Processors of(List<LogitsProcessorFactory> given) {
        List<LogitsProcessorFactory> all = new ArrayList<>(given);
        ServiceLoader.load(LogitsProcessorFactory.class).forEach(all::add);
        return new Processors(all);
    }

    List<LogitsProcessorFactory> find(List<String> names) {
        List<LogitsProcessorFactory> found = new ArrayList<>();
        for (String name : names) {
            LogitsProcessorFactory factory = byName.get(name);
            if (factory == null) {
                throw EngineException.invalid(
                        "logits_processors",
                        "logits_processors must be names of %s: logits_processors=%s"
                                .formatted(
                                        byName.keySet(),
                                        name.length() > 64 ? name.substring(0, 64) + "…" : name));
            }
            found.add(factory);
        }
        return found;
    }
}
