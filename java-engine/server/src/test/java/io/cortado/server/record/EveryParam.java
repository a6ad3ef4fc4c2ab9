package io.cortado.server.record;

import io.cortado.api.Constraint;
import io.cortado.api.Dry;
import io.cortado.api.DynamicTemperature;
import io.cortado.api.Mirostat;
import io.cortado.api.Penalties;
import io.cortado.api.SamplingParams;
import io.cortado.api.SamplingStep;
import io.cortado.api.Scoring;
import io.cortado.api.TokenRules;
import io.cortado.api.Truncation;
import io.cortado.api.Xtc;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Parameters of which none has its default, as far as they go together. */
final class EveryParam {
    static final SamplingParams CHANGED =
            SamplingParams.builder()
                    .n(2)
                    .bestOf(3)
                    .seed(Long.MIN_VALUE)
                    .temperature(0.7f)
                    .dynamicTemperature(new DynamicTemperature(0.2f, 1.5f))
                    .truncation(new Truncation(40, 0.9f, 0.05f, 0.8f, 2.5f, 1e-4f, 2e-4f, 0.6f))
                    .xtc(new Xtc(0.3f, 0.2f))
                    .mirostat(new Mirostat(0, 3, 0.2f))
                    .penalties(new Penalties(1.1f, 0.2f, -0.3f))
                    .dry(new Dry(0.8f, 1.5f, 3, 64, List.of("\n", "🙂")))
                    .tokens(new TokenRules(Map.of(7, -1.5f), List.of(7, 8), List.of("bad \"word")))
                    .order(List.of(SamplingStep.values()).reversed())
                    .logitsProcessors(List.of("one", "two"))
                    .maxTokens(9)
                    .minTokens(2)
                    .stop(List.of("\"\n🙂"))
                    .stopTokenIds(List.of(3))
                    .includeStop(true)
                    .ignoreEos(true)
                    .scoring(new Scoring(4, 5, Scoring.Mode.PROCESSED))
                    .skipSpecialTokens(false)
                    .constraint(new Constraint.Choice(List.of("yes", "\"no\"")))
                    .build();

    private EveryParam() {}

    /** What a new component would be: nobody has changed it above. Mirostat's mode stays 0. */
    static List<String> sameAsTheDefault() throws ReflectiveOperationException {
        SamplingParams usual = SamplingParams.builder().build();
        List<String> same = new ArrayList<>();
        collect(CHANGED, usual, "", same);
        same.remove("mirostat.mode");
        return same;
    }

    private static void collect(Object a, Object b, String path, List<String> same)
            throws ReflectiveOperationException {
        for (RecordComponent component : a.getClass().getRecordComponents()) {
            Object x = component.getAccessor().invoke(a);
            Object y = component.getAccessor().invoke(b);
            String name = path + component.getName();
            if (x instanceof Record && y != null) {
                collect(x, y, name + ".", same);
            } else if (x == null || x.equals(y)) {
                same.add(name);
            }
        }
    }
}
