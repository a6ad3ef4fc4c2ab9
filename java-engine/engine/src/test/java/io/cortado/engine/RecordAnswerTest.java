package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.cortado.api.Constraint;
import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.GenerationRequest;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import java.time.LocalDate;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Records as answers of the demo model. */
@Timeout(value = 300, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class RecordAnswerTest {
    private static final int SEEDS = 20;

    enum Size {
        SMALL,
        @JsonProperty("not small")
        LARGE
    }

    record Point(double x, float y) {}

    record Item(
            Size size,
            @JsonProperty("is_new") boolean isNew,
            byte level,
            long count,
            @Nullable Point at,
            Optional<Size> other,
            LocalDate day,
            UUID id,
            char sign) {}

    record Box(int width, Item first, Map<Size, Integer> left) {}

    record Person(String name, int age) {}

    private static GenerationRequest request(long seed, int maxTokens) {
        return new GenerationRequest(
                Prompt.user("Tell me about yourself."),
                SamplingParams.builder().temperature(1.5f).seed(seed).maxTokens(maxTokens).build());
    }

    @Test
    void everyAnswerIsTheRecord() throws Exception {
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            int whole = 0;
            for (int seed = 0; seed < SEEDS; seed++) {
                Box box = engine.generate(request(seed, 500), Box.class);
                assertNotNull(box.first().size());
                assertTrue(Double.isFinite(box.width()));
                Point at = box.first().at();
                assertTrue(at == null || Double.isFinite(at.x()) && Float.isFinite(at.y()));
                if (isPersonOrCut(engine, seed)) {
                    whole++;
                }
            }
            assertTrue(whole >= SEEDS / 2, "whole=" + whole);
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
    }

    /** A string has no bound, and nothing but a limit ends what a hot model goes on with. */
    private static boolean isPersonOrCut(Engine engine, int seed) throws InterruptedException {
        try {
            assertNotNull(engine.generate(request(seed, 500), Person.class).name());
            return true;
        } catch (EngineException e) {
            assertEquals("max_tokens", e.param());
            return false;
        }
    }

    @Test
    void theModelsOwnParametersDoToo() throws Exception {
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            assertNotNull(engine.generate(Prompt.user("Invent a person."), Person.class).name());
        }
    }

    @Test
    void refusesWhatCannotBeOneRecord() throws Exception {
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            SamplingParams params = request(1, 100).params();
            assertRefused(engine, params.toBuilder().n(2).build(), "n=2");
            assertRefused(engine, params.toBuilder().stop(List.of("a")).build(), "stop");
            assertRefused(
                    engine,
                    params.toBuilder().constraint(new Constraint.Regex("a")).build(),
                    "constraint");
            assertRefused(engine, params.toBuilder().maxTokens(3).build(), "max_tokens=3");
        }
    }

    private static void assertRefused(Engine engine, SamplingParams params, String what) {
        var e =
                assertThrows(
                        EngineException.class,
                        () -> engine.generate(request(1, 9).params(params), Person.class));
        assertEquals(EngineException.Code.INVALID_REQUEST, e.code());
        assertTrue(String.valueOf(e.getMessage()).contains(what), e.getMessage());
    }
}
