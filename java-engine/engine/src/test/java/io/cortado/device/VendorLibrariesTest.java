package io.cortado.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VendorLibrariesTest {
    private static final String NAME = "libcublasLt.so.13";

    @TempDir Path root;

    private Path put(String folder) throws IOException {
        Path file = root.resolve(folder).resolve(NAME);
        Files.createDirectories(file.getParent());
        return Files.createFile(file);
    }

    private Optional<Path> find(String configured, Map<String, String> environment) {
        return new VendorLibraries(configured, environment, root).find(NAME);
    }

    @Test
    void aMachineWithoutThemHasNone() {
        assertEquals(Optional.empty(), find("", Map.of()));
    }

    @Test
    void searchesInOrder() throws IOException {
        Path loader = put("somewhere");
        Map<String, String> environment =
                Map.of(
                        "LD_LIBRARY_PATH", root.resolve("empty") + ":" + loader.getParent(),
                        "HOME", root.resolve("home").toString(),
                        "CUDA_HOME", root.resolve("cuda").toString());
        assertEquals(Optional.of(loader), find("", environment));
        Path python = put("home/.local/lib/python3.12/site-packages/nvidia/cu13/lib");
        assertEquals(Optional.of(python), find("", environment));
        Path usual = put("usr/local/cuda/lib64");
        assertEquals(Optional.of(usual), find("", environment));
        Path home = put("cuda/lib64");
        assertEquals(Optional.of(home), find("", environment));
        Path configured = put("mine");
        assertEquals(Optional.of(configured), find(root.resolve("mine").toString(), environment));
    }

    @Test
    void findsThePythonPackagesOfTheSystem() throws IOException {
        Path python = put("usr/local/lib/python3.12/dist-packages/nvidia/cublas/lib");
        assertEquals(Optional.of(python), find("", Map.of()));
    }

    @Test
    void whatIsNowhereIsToldWithWhereItWasLookedFor() {
        VendorLibraries libraries = new VendorLibraries("/mine:/other", Map.of(), root);
        String message =
                String.valueOf(
                        assertThrows(NcclException.class, () -> Nccl.open(libraries)).getMessage());
        String expected = "looked for in /mine:/other:" + root.resolve("usr/local/cuda/lib64");
        assertTrue(message.contains(expected), message);
        assertTrue(message.contains("-Dcortado.cuda.path"), message);
    }
}
