package io.cortado.bindings;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UnpackFolderTest {
    private static final byte[] BYTES = "a library".getBytes(StandardCharsets.UTF_8);
    private static final String SHA256 = UnpackFolder.sha256Of(BYTES);

    @TempDir Path cache;

    private UnpackFolder folder() throws IOException {
        return new UnpackFolder(cache.resolve("cortado"), UnpackFolder.ownUid());
    }

    private static void assertRefused(UnpackFolder folder, String why) {
        var refused =
                assertThrows(
                        NativeLibraryException.class, () -> folder.unpack("lib.so", BYTES, SHA256));
        assertTrue(String.valueOf(refused.getMessage()).contains(why), refused.toString());
    }

    @Test
    void unpacksOnceIntoAFolderForTheOwnerOnly() throws IOException {
        Path file = folder().unpack("lib.so", BYTES, SHA256);
        var time = Files.getLastModifiedTime(file);
        assertEquals(file, folder().unpack("lib.so", BYTES, SHA256));
        assertEquals(time, Files.getLastModifiedTime(file));
        assertArrayEquals(BYTES, Files.readAllBytes(file));
        for (Path path : new Path[] {file, file.getParent(), cache.resolve("cortado")}) {
            assertEquals(
                    "rwx------",
                    PosixFilePermissions.toString(Files.getPosixFilePermissions(path)));
        }
        try (var left = Files.list(file.getParent())) {
            assertEquals(1, left.count());
        }
    }

    @Test
    void unpacksACompanionBesideTheLibrary() throws IOException {
        byte[] more = "another library".getBytes(StandardCharsets.UTF_8);
        Path file = folder().unpack("lib.so", BYTES, SHA256);
        String sha256 = UnpackFolder.sha256Of(more);
        Path beside = folder().unpackBeside(file, "lib_more.so", more, sha256);
        assertEquals(file.resolveSibling("lib_more.so"), beside);
        assertArrayEquals(more, Files.readAllBytes(beside));
        assertThrows(
                NativeLibraryException.class,
                () -> folder().unpackBeside(file, "lib_more.so", more, SHA256));
    }

    @Test
    void aTamperedLibraryIsReplacedAndNeverLoaded() throws IOException {
        Path file = folder().unpack("lib.so", BYTES, SHA256);
        Files.writeString(file, "evil");
        assertArrayEquals(BYTES, Files.readAllBytes(folder().unpack("lib.so", BYTES, SHA256)));
    }

    @Test
    void aWrongChecksumInTheJarIsRefused() throws IOException {
        UnpackFolder folder = folder();
        assertThrows(
                NativeLibraryException.class, () -> folder.unpack("lib.so", BYTES, "0".repeat(64)));
    }

    @Test
    void aSymbolicLinkInsteadOfTheFolderIsRefused(@TempDir Path other) throws IOException {
        Files.createSymbolicLink(cache.resolve("cortado"), other);
        assertRefused(folder(), "symbolic link");
    }

    @Test
    void aSymbolicLinkInsteadOfTheLibraryIsRefused(@TempDir Path other) throws IOException {
        Path file = folder().unpack("lib.so", BYTES, SHA256);
        Files.delete(file);
        Files.createSymbolicLink(file, Files.write(other.resolve("real.so"), BYTES));
        assertRefused(folder(), "symbolic link");
    }

    @Test
    void aForeignFolderIsRefused() throws IOException {
        folder().unpack("lib.so", BYTES, SHA256);
        assertRefused(
                new UnpackFolder(cache.resolve("cortado"), UnpackFolder.ownUid() + 1),
                "belongs to uid");
    }

    @Test
    void aFolderOrFileThatOthersMayWriteIsRefused() throws IOException {
        Path file = folder().unpack("lib.so", BYTES, SHA256);
        for (Path path : new Path[] {file, file.getParent(), cache.resolve("cortado")}) {
            for (String open : new String[] {"rwxrwx---", "rwx---rwx"}) {
                Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(open));
                assertRefused(folder(), "writable by others");
            }
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwx------"));
        }
    }
}
