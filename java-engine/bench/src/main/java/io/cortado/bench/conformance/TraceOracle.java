package io.cortado.bench.conformance;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What the README beside a folder of traces says of one of them: a line {@code - NAME: facts} whose
 * NAME begins the file's name, and a row of its table that begins with the file's name.
 */
final class TraceOracle {
    private static final Pattern LINE = Pattern.compile("- (\\w+): (.*)");
    private static final Pattern ROW = Pattern.compile("\\| *(\\S+) *\\| *([\\d,]+)\\b.*");
    private static final String NUMBERS = "(?:mean/p50/p99/max )?([\\d,/]+\\d)";

    private final String facts;
    private final @Nullable String rows;

    private TraceOracle(String facts, @Nullable String rows) {
        this.facts = facts;
        this.rows = rows;
    }

    /** Knows nothing where there is no README, or nothing of the file in it. */
    static TraceOracle of(Path file) throws IOException {
        Path readme = VocabSuite.folder(file).resolve("README.md");
        String facts = "";
        String rows = null;
        String name = String.valueOf(file.getFileName());
        if (Files.isRegularFile(readme)) {
            for (String line : Files.readAllLines(readme)) {
                Matcher fact = LINE.matcher(line);
                if (fact.matches() && name.startsWith(fact.group(1))) {
                    facts = fact.group(2);
                }
                Matcher row = ROW.matcher(line);
                if (row.matches() && row.group(1).equals(name)) {
                    rows = row.group(2);
                }
            }
        }
        return new TraceOracle(facts, rows);
    }

    @Nullable Long rows() {
        return rows == null ? null : number(rows);
    }

    @Nullable Long seconds() {
        return first("(?:^|, )([\\d,]+) s\\b");
    }

    @Nullable Long clients() {
        return first("([\\d,]+) clients");
    }

    /** The n that is told, and the share of requests of the n largest clients in percent. */
    @Nullable List<Long> topClients() {
        return groups("top-(\\d+) clients (\\d+) %");
    }

    /** Mean, p50, p99, max. */
    @Nullable List<Long> inputs() {
        return lengths("input " + NUMBERS);
    }

    @Nullable List<Long> outputs() {
        return lengths("output " + NUMBERS);
    }

    @Nullable Long references() {
        return first("([\\d,]+) block references");
    }

    @Nullable Long uniqueBlocks() {
        return first("block references, ([\\d,]+) unique");
    }

    /** As it is written, to be compared with as many digits. */
    @Nullable String infiniteHitRatio() {
        return text("infinite cache (\\d\\.\\d+)");
    }

    /** Capacities in blocks, in the order of {@link #hitRatios}. */
    List<Integer> capacities() {
        String list = text("block LRU of ([\\dk/]+) blocks");
        return list == null
                ? List.of()
                : Arrays.stream(list.split("/"))
                        .map(c -> (int) number(c.replace("k", "000")))
                        .toList();
    }

    List<String> hitRatios() {
        String list = text("block LRU of [\\dk/]+ blocks ([\\d./]+\\d)");
        return list == null ? List.of() : List.of(list.split("/"));
    }

    private @Nullable List<Long> lengths(String pattern) {
        String list = text(pattern);
        if (list == null) {
            return null;
        }
        List<Long> numbers = Arrays.stream(list.split("/")).map(TraceOracle::number).toList();
        return numbers.size() == 4 ? numbers : null;
    }

    private @Nullable Long first(String pattern) {
        List<Long> groups = groups(pattern);
        return groups == null ? null : groups.getFirst();
    }

    private @Nullable List<Long> groups(String pattern) {
        Matcher matcher = Pattern.compile(pattern).matcher(facts);
        if (!matcher.find()) {
            return null;
        }
        List<Long> groups = new ArrayList<>();
        for (int i = 1; i <= matcher.groupCount(); i++) {
            groups.add(number(matcher.group(i)));
        }
        return groups;
    }

    private @Nullable String text(String pattern) {
        Matcher matcher = Pattern.compile(pattern).matcher(facts);
        return matcher.find() ? matcher.group(1) : null;
    }

    private static long number(String text) {
        return Long.parseLong(text.replace(",", ""));
    }
}
