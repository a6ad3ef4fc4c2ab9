package io.cortado.bindings;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import org.junit.jupiter.api.Test;

class NativeLibraryTest {
    @Test
    void loadsOnceAndTellsFromWhere() {
        assertTrue(Files.isRegularFile(NativeLibrary.load()));
        assertEquals(NativeLibrary.load(), NativeLibrary.load());
    }

    @Test
    void warnsAboutJdksThatMovePinnedArrays() {
        for (String old : new String[] {"25", "25.0.1", "25.0.2"}) {
            String warning =
                    NativeLibrary.warnAboutOldJdk(Runtime.Version.parse(old)).orElseThrow();
            assertTrue(warning.contains("JDK-8377811"), warning);
        }
        for (String fixed : new String[] {"25.0.3", "25.0.4", "26", "25.0.3+9-LTS"}) {
            assertTrue(
                    NativeLibrary.warnAboutOldJdk(Runtime.Version.parse(fixed)).isEmpty(), fixed);
        }
    }
}
