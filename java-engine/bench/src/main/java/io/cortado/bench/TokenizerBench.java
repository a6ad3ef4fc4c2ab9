package io.cortado.bench;

import com.sun.management.OperatingSystemMXBean;
import io.cortado.bench.tokenizer.DjlPeer;
import io.cortado.bench.tokenizer.HuggingFaceJson;
import io.cortado.bench.tokenizer.JtokkitPeer;
import io.cortado.bench.tokenizer.MixedText;
import io.cortado.bench.tokenizer.PeerUnavailableException;
import io.cortado.bench.tokenizer.TokenizerPeer;
import io.cortado.bench.tokenizer.VocabularyFiles;
import io.cortado.text.AddedTokenMatch;
import io.cortado.text.Tokenizer;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Text to ids with real vocabularies: one thread, against jtokkit and DJL in the same run.
 *
 * <p>Rates are by the CPU time of the whole process, garbage collection and all, which other work
 * on the machine hardly moves; loads are by the clock.
 */
@Command(
        name = "tokenizer",
        description = "Encoding speed and load time of real vocabularies, and other tokenizers'.",
        mixinStandardHelpOptions = true)
final class TokenizerBench extends BenchCommand {
    private static final Set<String> PEERS = Set.of("jtokkit", "djl");
    private static final OperatingSystemMXBean PROCESS =
            ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
    private static final String LARGEST = "o200k";
    private static final int PEER_SHARE = 4;
    private static final int TEXT_BYTES = 4 << 20;
    private static final int DOCUMENT_CHARS = 16 << 10;
    private static final int UNBROKEN_CHARS = 1 << 20;

    @Option(
            names = "--vs",
            split = ",",
            paramLabel = "PEER",
            description = "jtokkit, djl: yardsticks in the same run")
    List<String> peers = List.of();

    @Option(names = "--vocab", paramLabel = "FOLDER", description = "the vocabularies' folder")
    @Nullable Path vocab;

    @Option(names = "--only", paramLabel = "NAME", description = "one vocabulary")
    @Nullable String only;

    private interface Encoder {
        int[] encode(String text);
    }

    private record Peer(String name, double rate) {}

    @Override
    void run(Results results) throws Exception {
        require(PEERS.containsAll(peers), "vs", "of jtokkit, djl", peers);
        Path folder =
                vocab != null
                        ? vocab
                        : Path.of(
                                System.getProperty("cortado.root", "."), "../shared/suites/vocab");
        List<VocabularyFiles> files =
                Files.isDirectory(folder) ? VocabularyFiles.in(folder) : List.of();
        if (only != null) {
            files = files.stream().filter(file -> file.name().equals(only)).toList();
        }
        if (files.isEmpty()) {
            throw new BenchException("no vocabulary to measure: --vocab=" + folder);
        }
        String text = MixedText.ofBytes(TEXT_BYTES, seed);
        List<String> documents = documents(text);
        double megabytes = bytes(documents) / 1e6;
        out.printf(
                Locale.ROOT,
                "text: %.1f MB of UTF-8 in %d documents, seed %d%n",
                megabytes,
                documents.size(),
                seed);
        Table table =
                new Table(
                        "vocabulary",
                        "tokens",
                        "load ms",
                        "cold",
                        "MB/s",
                        "bytes/token",
                        "1 MB unbroken ms",
                        "doubling",
                        "jtokkit MB/s",
                        "ratio",
                        "djl MB/s",
                        "ratio");
        for (VocabularyFiles file : files) {
            measure(file, documents, megabytes, table, results);
        }
        table.print(out);
    }

    private void measure(
            VocabularyFiles file,
            List<String> documents,
            double megabytes,
            Table table,
            Results results) {
        long started = System.nanoTime();
        Tokenizer tokenizer = file.load();
        double coldLoad = (System.nanoTime() - started) / 1e6;
        double[] loads = new double[runs];
        for (int i = 0; i < loads.length; i++) {
            long begin = System.nanoTime();
            file.load();
            loads[i] = (System.nanoTime() - begin) / 1e6;
        }
        // What users write: no control token, but those that are not special, as peers have them.
        AddedTokenMatch match = file.isTiktoken() ? AddedTokenMatch.NONE : AddedTokenMatch.ALL;
        Encoder ours = text -> tokenizer.encode(text, false, match);
        Summary seconds = rate(ours, documents);
        double mbPerSecond = megabytes / seconds.median();
        int tokens = documents.stream().mapToInt(d -> ours.encode(d).length).sum();
        double half = unbroken(ours, UNBROKEN_CHARS / 2);
        double whole = unbroken(ours, UNBROKEN_CHARS);
        Peer jtokkit = peer("jtokkit", file, tokenizer, documents, results);
        Peer djl = peer("djl", file, tokenizer, documents, results);
        String metric = "tokenizer_" + file.name();
        results.put(metric + "_mb_s", mbPerSecond, "MB/s");
        results.put(metric + "_load_ms", Summary.of(loads).median(), "ms");
        if (file.name().equals(LARGEST)) {
            jsonLoad(HuggingFaceJson.of(file.ranks(tokenizer), file.pattern()), results);
        }
        results.put(metric + "_unbroken_1mb_ms", whole * 1e3, "ms");
        results.put(metric + "_unbroken_doubling", whole / half, "ratio");
        for (Peer peer : new Peer[] {jtokkit, djl}) {
            if (peer.rate > 0) {
                results.put(metric + "_vs_" + peer.name, mbPerSecond / peer.rate, "ratio");
            }
        }
        table.row(
                file.name(),
                String.valueOf(tokenizer.vocabSize()),
                number(Summary.of(loads).median()),
                number(coldLoad),
                String.format(Locale.ROOT, "%.1f ±%.0f%%", mbPerSecond, 100 * seconds.spread()),
                number(megabytes * 1e6 / tokens),
                number(whole * 1e3),
                number(whole / half),
                rateText(jtokkit),
                ratioText(jtokkit, mbPerSecond),
                rateText(djl),
                ratioText(djl, mbPerSecond));
    }

    /** The largest vocabulary as a tokenizer.json with all its merges: the loading thread's CPU. */
    private void jsonLoad(byte[] json, Results results) {
        double[] loads = new double[runs];
        double cold = 0;
        for (int run = -1; run < runs; run++) {
            long begin = THREADS.getCurrentThreadCpuTime();
            int size = Tokenizer.parse(json).vocabSize();
            double took = (THREADS.getCurrentThreadCpuTime() - begin) / 1e6;
            if (size == 0) {
                throw new BenchException("a tokenizer.json made no tokenizer");
            }
            if (run < 0) {
                cold = took;
            } else {
                loads[run] = took;
            }
        }
        double median = Summary.of(loads).median();
        results.put("tokenizer_json_200k_load_ms", median, "ms");
        results.put("tokenizer_json_200k_first_load_ms", cold, "ms");
    }

    private Peer peer(
            String name,
            VocabularyFiles file,
            Tokenizer tokenizer,
            List<String> documents,
            Results results) {
        // jtokkit reads ranks, not the merges of a tokenizer.json.
        if (!peers.contains(name) || (name.equals("jtokkit") && !file.isTiktoken())) {
            return new Peer(name, 0);
        }
        try (TokenizerPeer peer = open(name, file, tokenizer)) {
            AddedTokenMatch match = file.isTiktoken() ? AddedTokenMatch.NONE : AddedTokenMatch.ALL;
            for (String document : documents.subList(0, Math.min(20, documents.size()))) {
                String composed = tokenizer.decode(tokenizer.encode(document, false, match), false);
                if (!Arrays.equals(
                        peer.encode(composed), tokenizer.encode(composed, false, match))) {
                    results.fail(file.name() + ": " + name + " has other ids for the same text");
                    break;
                }
            }
            // Some are ten times slower: a part of the text is enough for their rate.
            List<String> part = documents.subList(0, Math.max(1, documents.size() / PEER_SHARE));
            return new Peer(name, bytes(part) / 1e6 / rate(peer::encode, part).median());
        } catch (PeerUnavailableException e) {
            out.println(file.name() + " without " + name + ": " + e.getMessage());
            return new Peer(name, 0);
        }
    }

    private static TokenizerPeer open(String name, VocabularyFiles file, Tokenizer tokenizer) {
        if (!file.isTiktoken()) {
            return DjlPeer.open(file.content());
        }
        List<byte[]> ranks = file.ranks(tokenizer);
        return name.equals("jtokkit")
                ? new JtokkitPeer(ranks, file.pattern())
                : DjlPeer.open(HuggingFaceJson.of(ranks, file.pattern()));
    }

    /** Seconds for all documents, one after the other on this thread. */
    private Summary rate(Encoder encoder, List<String> documents) {
        double[] seconds = new double[runs];
        for (int run = -2; run < runs; run++) {
            double begin = cpuSeconds();
            int tokens = 0;
            for (String document : documents) {
                tokens += encoder.encode(document).length;
            }
            double took = cpuSeconds() - begin;
            if (tokens == 0) {
                throw new BenchException("an encoder made no tokens");
            }
            if (run >= 0) {
                seconds[run] = took;
            }
        }
        return Summary.of(seconds);
    }

    private double unbroken(Encoder encoder, int chars) {
        String text = MixedText.withoutSpaces(chars, seed);
        double best = Double.MAX_VALUE;
        for (int run = 0; run < 3; run++) {
            double begin = cpuSeconds();
            if (encoder.encode(text).length == 0) {
                throw new BenchException("an encoder made no tokens");
            }
            best = Math.min(best, cpuSeconds() - begin);
        }
        return best;
    }

    private static double cpuSeconds() {
        return PROCESS.getProcessCpuTime() / 1e9;
    }

    private static List<String> documents(String text) {
        var documents = new ArrayList<String>();
        for (int from = 0; from < text.length(); ) {
            int to = text.indexOf('\n', Math.min(from + DOCUMENT_CHARS, text.length() - 1)) + 1;
            to = to == 0 ? text.length() : to;
            documents.add(text.substring(from, to));
            from = to;
        }
        return documents;
    }

    private static long bytes(List<String> documents) {
        return documents.stream().mapToLong(d -> d.getBytes(StandardCharsets.UTF_8).length).sum();
    }

    private static String rateText(Peer peer) {
        return peer.rate > 0 ? number(peer.rate) : "-";
    }

    private static String ratioText(Peer peer, double ours) {
        return peer.rate > 0 ? number(ours / peer.rate) : "-";
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.1f", value);
    }
}
