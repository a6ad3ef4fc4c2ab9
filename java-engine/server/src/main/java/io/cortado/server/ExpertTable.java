package io.cortado.server;

import io.cortado.api.ExpertLoad;
import java.util.List;
import java.util.Locale;

/** How often experts were chosen, by layer: a heat table. */
final class ExpertTable {
    /** From nothing to twice the mean and more, in even steps. */
    private static final String HEAT = " .:-=+*#%@";

    private static final int LINE = 64;

    private ExpertTable() {}

    static String json(List<ExpertLoad> loads) {
        JsonOut out = new JsonOut().open().name("layers").openArray();
        for (ExpertLoad load : loads) {
            out.open().field("layer", load.layer()).field("total", load.total());
            out.field("max", load.most()).name("imbalance").value(load.imbalance());
            out.name("tokens").openArray();
            load.tokens().forEach(tokens -> out.value(tokens.longValue()));
            out.closeArray().close();
        }
        return out.closeArray().close().toString();
    }

    /** A character an expert, 64 a line. */
    static String text(List<ExpertLoad> loads) {
        StringBuilder out = new StringBuilder();
        out.append("layer      tokens  max/mean  an expert a character: ")
                .append("blank 0, '=' nearly the mean, '@' twice the mean or more\n");
        for (ExpertLoad load : loads) {
            String heat = heat(load);
            for (int at = 0; at < heat.length(); at += LINE) {
                String line = heat.substring(at, Math.min(heat.length(), at + LINE));
                out.append(
                        at == 0
                                ? String.format(
                                        Locale.ROOT,
                                        "%5d %11d %9.2f  |%s|%n",
                                        load.layer(),
                                        load.total(),
                                        load.imbalance(),
                                        line)
                                : String.format(Locale.ROOT, "%27s  |%s|%n", "", line));
            }
        }
        return out.toString();
    }

    private static String heat(ExpertLoad load) {
        double mean = (double) load.total() / load.tokens().size();
        int hottest = HEAT.length() - 1;
        StringBuilder heat = new StringBuilder();
        for (long tokens : load.tokens()) {
            long step = tokens == 0 ? 0 : Math.max(1, Math.round(tokens / mean * hottest / 2));
            heat.append(HEAT.charAt((int) Math.min(hottest, step)));
        }
        return heat.toString();
    }
}
