package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Prompt;
import io.cortado.device.Device;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The device fails at each of its calls in turn: at load, in a step, in a wait. */
@Timeout(value = 600, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EngineFaultTest {
    private static final int CALLERS = 3;
    private static final int OUTPUT = 3;

    @TempDir Path folder;

    /** What one life of an engine came to. */
    private static final class Life {
        @Nullable Device device;
        int completed;
        int failed;
    }

    /** A device, where its experts are, and of how many calls one is looked at. */
    static Stream<Arguments> places() {
        String simt = Devices.all().getLast();
        return Stream.of(
                Arguments.of("cpu", "", 1),
                Arguments.of(simt, "", 1),
                Arguments.of(simt, "cpu", 7));
    }

    @ParameterizedTest
    @MethodSource("places")
    void failsClearlyAndLeavesNothingBehindWhereverTheDeviceFails(
            String device, String expertDevice, int stride) throws Exception {
        Devices.assumePresent(device);
        int faultsAtLoad = 0;
        int faultsWhileRunning = 0;
        for (long call = 1; ; call += stride) {
            Life life = live(device, expertDevice, call);
            assertNotNull(life.device);
            assertTrue(life.device.isClosed(), "handles are left at call " + call);
            if (life.completed == CALLERS) {
                break;
            }
            if (life.completed + life.failed == 0) {
                faultsAtLoad++;
            } else {
                faultsWhileRunning++;
                assertEquals(CALLERS, life.completed + life.failed);
            }
        }
        assertTrue(faultsAtLoad > 50 / stride, "faults at load: " + faultsAtLoad);
        assertTrue(faultsWhileRunning > 50 / stride, "while running: " + faultsWhileRunning);
    }

    private Life live(String device, String expertDevice, long call)
            throws IOException, InterruptedException {
        Life life = new Life();
        Engine engine;
        try {
            engine =
                    CortadoEngineProvider.open(
                            expertDevice.isEmpty()
                                    ? TinyModel.in(folder)
                                    : TinyModel.withExperts(folder),
                            TinyModel.options(device)
                                    .expertDevice(expertDevice)
                                    .maxNumSeqs(2), // so that one waits
                            opened -> {
                                life.device = opened;
                                opened.injectFault(call);
                            },
                            executor -> executor);
        } catch (EngineException e) {
            assertLost(e);
            return life;
        }
        try (engine) {
            for (Answers answers : askAll(engine, life)) {
                if (answers.failure == null) {
                    assertEquals(OUTPUT, answers.ids().size());
                    life.completed++;
                } else {
                    assertLost(answers.failure);
                    assertTrue(answers.answers.stream().allMatch(a -> a.reason == null));
                    life.failed++;
                }
            }
            EngineException failure = engine.failure();
            if (life.failed > 0) {
                assertTakesNothingMore(engine);
            } else if (failure != null) { // in a call behind the last answer
                assertLost(failure);
            }
        }
        return life;
    }

    private static List<Answers> askAll(Engine engine, Life life) throws InterruptedException {
        List<GenerationStream> streams = new ArrayList<>();
        for (int i = 0; i < CALLERS; i++) {
            try {
                streams.add(engine.generate(request(i)));
            } catch (EngineException e) {
                assertLost(e);
                life.failed++;
            }
        }
        List<Answers> answers = new ArrayList<>();
        for (GenerationStream stream : streams) {
            answers.add(Answers.read(stream));
        }
        return answers;
    }

    private static GenerationRequest request(int caller) {
        return new GenerationRequest(
                Prompt.tokens(TinyModel.prompt(caller)), TinyModel.params(caller, OUTPUT));
    }

    private static void assertTakesNothingMore(Engine engine) {
        EngineException failure = engine.failure();
        assertNotNull(failure);
        assertLost(failure);
        assertLost(assertThrows(EngineException.class, () -> engine.generate(request(0)).close()));
    }

    private static void assertLost(EngineException e) {
        assertEquals(EngineException.Code.DEVICE_LOST, e.code(), e::toString);
        assertTrue(String.valueOf(e.getMessage()).contains("a fault was injected"), e::toString);
    }
}
