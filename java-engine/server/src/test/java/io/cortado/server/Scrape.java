package io.cortado.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Prometheus text as a scraper reads it, which fails on what the text format (version 0.0.4) does
 * not allow: lines of no announced family, a family or a sample twice, histograms that do not add
 * up, counters without {@code _total}.
 */
final class Scrape {
    private static final Pattern LABEL =
            Pattern.compile("([a-zA-Z_][a-zA-Z0-9_]*)=\"((?:[^\"\\\\\n]|\\\\[\\\\\"n])*)\"(,|$)");
    private static final Pattern SAMPLE =
            Pattern.compile("([a-zA-Z_:][a-zA-Z0-9_:]*)\\{(.*)\\} (\\S+)");

    /** By family. */
    final Map<String, String> types = new LinkedHashMap<>();

    /** By name and labels. */
    final Map<String, Sample> samples = new LinkedHashMap<>();

    /** One line. */
    record Sample(String name, Map<String, String> labels, double value) {
        boolean has(String label, String labelValue) {
            return labelValue.equals(labels.get(label));
        }
    }

    private @Nullable String family;

    static Scrape of(String text) {
        Scrape scrape = new Scrape();
        assertTrue(text.endsWith("\n"));
        String helped = "";
        for (String line : text.split("\n")) {
            if (line.startsWith("# HELP ")) {
                helped = line.split(" ", 4)[2];
            } else if (line.startsWith("# TYPE ")) {
                String[] words = line.split(" ");
                assertEquals(helped, words[2], line);
                scrape.family(words[2], words[3]);
            } else {
                scrape.sample(line);
            }
        }
        scrape.types.forEach((name, type) -> {
            if (type.equals("histogram")) {
                scrape.checkHistogram(name);
            }
        });
        return scrape;
    }

    private void family(String name, String type) {
        assertEquals(null, types.put(name, type), "twice: " + name);
        assertTrue(!type.equals("counter") || name.endsWith("_total"), name);
        family = name;
    }

    private void sample(String line) {
        Matcher matcher = SAMPLE.matcher(line);
        assertTrue(matcher.matches(), line);
        String name = matcher.group(1);
        String owner = family;
        assertNotNull(owner, line);
        boolean isHistogram = "histogram".equals(types.get(owner));
        assertTrue(
                isHistogram
                        ? name.matches(Pattern.quote(owner) + "_(bucket|sum|count)")
                        : name.equals(owner),
                line);
        Map<String, String> found = new TreeMap<>();
        Matcher label = LABEL.matcher(matcher.group(2));
        int end = 0;
        while (label.lookingAt()) {
            assertEquals(null, found.put(label.group(1), label.group(2)), line);
            end = label.end();
            label.region(end, matcher.group(2).length());
        }
        assertEquals(matcher.group(2).length(), end, line);
        String key = name + found;
        double value = Double.parseDouble(matcher.group(3));
        assertTrue(Double.isFinite(value), line);
        assertEquals(null, samples.put(key, new Sample(name, found, value)), "twice: " + line);
    }

    private void checkHistogram(String name) {
        double before = -1;
        double bound = Double.NEGATIVE_INFINITY;
        double last = -1;
        for (Sample sample : samples.values()) {
            if (!sample.name().equals(name + "_bucket")) {
                continue;
            }
            String le = String.valueOf(sample.labels().get("le"));
            double next = le.equals("+Inf") ? Double.POSITIVE_INFINITY : Double.parseDouble(le);
            assertTrue(next > bound && sample.value() >= before, sample.toString());
            bound = next;
            before = sample.value();
            last = sample.value();
        }
        assertEquals(Double.POSITIVE_INFINITY, bound, name);
        assertEquals(last, value(name + "_count"), name);
        assertTrue(value(name + "_sum") >= 0, name);
    }

    /** Of the one sample of a name. */
    double value(String name) {
        return samples.values().stream()
                .filter(sample -> sample.name().equals(name))
                .mapToDouble(Sample::value)
                .reduce((a, b) -> {
                    throw new AssertionError("several samples: " + name);
                })
                .orElseThrow(() -> new AssertionError("no sample: " + name));
    }

    /** Of the sample of a name that has this label. */
    double value(String name, String label, String labelValue) {
        return samples.values().stream()
                .filter(sample -> sample.name().equals(name) && sample.has(label, labelValue))
                .mapToDouble(Sample::value)
                .findAny()
                .orElseThrow(() -> new AssertionError("no sample: " + name + " " + labelValue));
    }

    /** Fails if something that counts is less than it was, or is gone. */
    void requireNotBehind(Scrape earlier) {
        earlier.samples.forEach((key, before) -> {
            String type = earlier.types.get(before.name());
            if (type == null || type.equals("counter")) { // the lines of histograms have none
                Sample now = samples.get(key);
                assertNotNull(now, "gone: " + key);
                assertTrue(now.value() >= before.value(), before + " became " + now);
            }
        });
    }
}
