package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.DeviceRates;
import io.cortado.device.Curve;
import io.cortado.device.DeviceInfo;
import io.cortado.device.Rate;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RateFileTest {
    private static final DeviceInfo INFO = new DeviceInfo("cpu", "A \"B\"", "avx2", 4, 9, 8, 0, 0);

    @TempDir Path folder;

    private final List<String> measured = new ArrayList<>();

    private Curve measure(Rate rate) {
        measured.add(rate.name());
        return Curve.constant(measured.size());
    }

    private RateFile file() {
        return RateFile.of(folder.resolve("a/b"), INFO, "0123");
    }

    @Test
    void keepsWhatWasMeasured() throws IOException {
        assertNull(file().read());
        Curve curve = new Curve(new double[] {1, 2.5}, new double[] {1e-10, 1.0 / 3});
        Instant at = Instant.parse("2026-11-28T10:11:12.5Z");
        file().write(new RateFile.Content(at, Map.of("linear/x", curve)));
        RateFile.Content content = file().read();
        assertEquals(new RateFile.Content(at, Map.of("linear/x", curve)), content);
        try (var files = Files.list(folder.resolve("a/b"))) {
            assertEquals(List.of(file().path()), files.toList());
        }
    }

    @Test
    void anotherDeviceOrBuildHasAnotherFile() {
        Path path = file().path();
        assertNotEquals(path, RateFile.of(folder.resolve("a/b"), INFO, "0124").path());
        for (DeviceInfo other :
                List.of(
                        new DeviceInfo("cuda:0", "A \"B\"", "avx2", 4, 9, 8, 0, 0),
                        new DeviceInfo("cpu", "C", "avx2", 4, 9, 8, 0, 0),
                        new DeviceInfo("cpu", "A \"B\"", "avx512", 4, 9, 8, 0, 0),
                        new DeviceInfo("cpu", "A \"B\"", "avx2", 2, 9, 8, 0, 0))) {
            assertNotEquals(path, RateFile.of(folder.resolve("a/b"), other, "0123").path());
        }
        // What is free now is no part of what the device is.
        DeviceInfo later = new DeviceInfo("cpu", "A \"B\"", "avx2", 4, 9, 1, 0, 0);
        assertEquals(path, RateFile.of(folder.resolve("a/b"), later, "0123").path());
    }

    @Test
    void aFileThatCannotBeUsedIsMeasuredAnew() throws IOException {
        RateBook first = new RateBook(INFO, file(), false, this::measure);
        first.curve(new Rate.Draw());
        first.save();
        String good = Files.readString(file().path());
        int tried = 0;
        for (String bad :
                List.of(
                        "",
                        "{",
                        "null",
                        "[]",
                        good.replace("\"version\":1", "\"version\":2"),
                        good.replace("avx2", "avx512"),
                        good.replace("[1.0]", "[0.0]"),
                        good.replace("[1.0]", "[\"x\"]"),
                        good.replace("[1.0]", "{}"),
                        good.replace("\"measured\":\"", "\"measured\":\"x"),
                        good.substring(0, good.length() / 2),
                        " ".repeat(2 << 20))) {
            assertNotEquals(good, bad);
            Files.writeString(file().path(), bad);
            assertThrows(IOException.class, () -> file().read(), bad);
            measured.clear();
            RateBook again = new RateBook(INFO, file(), false, this::measure);
            again.curve(new Rate.Draw());
            assertEquals(List.of("draw"), measured);
            DeviceRates summary = again.summary();
            assertFalse(summary.isFromCache());
            assertTrue(summary.note().contains(file().path().toString()), summary.note());
            again.save();
            assertTrue(file().read() != null, "written again: " + ++tried);
        }
    }

    @Test
    void measuresOnceAndAgainWhenTold() {
        RateBook first = new RateBook(INFO, file(), false, this::measure);
        assertEquals(1, first.curve(new Rate.Draw()).at(1));
        assertEquals(1, first.curve(new Rate.Draw()).at(1));
        first.save();
        assertFalse(first.summary().isFromCache());
        RateBook second = new RateBook(INFO, file(), false, this::measure);
        measured.clear();
        assertEquals(1, second.curve(new Rate.Draw()).at(1));
        assertEquals(List.of(), measured);
        assertTrue(second.summary().isFromCache());
        RateBook third = new RateBook(INFO, file(), true, this::measure);
        measured.clear();
        third.curve(new Rate.Draw());
        assertEquals(List.of("draw"), measured);
        assertFalse(third.summary().isFromCache());
    }

    @Test
    void aFolderThatCannotBeWrittenIsNoFailure() throws IOException {
        Path blocked = Files.writeString(folder.resolve("file"), "x");
        RateFile file = RateFile.of(blocked, INFO, "0123");
        RateBook book = new RateBook(INFO, file, false, this::measure);
        book.curve(new Rate.Draw());
        book.save();
        assertEquals("x", Files.readString(blocked));
    }

    @Test
    void liesInTheUsersCacheFolder() {
        assertEquals(Path.of("/x/cortado"), RateFile.folder(_ -> "/x"));
        Path home = Path.of(System.getProperty("user.home"), ".cache", "cortado");
        assertEquals(home, RateFile.folder(_ -> null));
        assertEquals(home, RateFile.folder(_ -> " "));
    }
}
