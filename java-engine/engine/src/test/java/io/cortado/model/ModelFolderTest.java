package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModelFolderTest {
    @TempDir Path cache;
    private Path model = Path.of("");
    private Path snapshot = Path.of("");

    @BeforeEach
    void makeCache() throws IOException {
        model = cache.resolve("models--org--name");
        snapshot = model.resolve("snapshots").resolve("abc123");
        Files.createDirectories(snapshot);
        Files.createDirectories(model.resolve("blobs"));
        Files.createDirectories(model.resolve("refs"));
        Files.writeString(model.resolve("refs").resolve("main"), "abc123\n");
        link("config.json", "{}");
        link("model.safetensors", "x");
    }

    private void link(String name, String content) throws IOException {
        Path blob = model.resolve("blobs").resolve("blob-" + name.replace('.', '-'));
        Files.writeString(blob, content);
        Files.createSymbolicLink(
                snapshot.resolve(name), Path.of("../../blobs").resolve(blob.getFileName()));
    }

    private Path locate(String named, String revision, String variable) {
        return ModelFolder.locate(
                Path.of(named), revision, Map.of(variable, cache.toString())::get);
    }

    @Test
    void findsTheSnapshotOfARevision() {
        assertEquals(snapshot, locate("org/name", "", "HF_HUB_CACHE"));
        assertEquals(snapshot, locate("org/name", "main", "HF_HUB_CACHE"));
        assertEquals(snapshot, locate("org/name", "abc123", "HF_HUB_CACHE"));
        assertEquals(snapshot, locate(model.toString(), "", "UNSET"));
        assertEquals(snapshot, locate(snapshot.toString(), "", "UNSET"));
        assertEquals("org/name", ModelFolder.nameOf(snapshot));
        assertEquals("abc", ModelFolder.nameOf(Path.of("some/abc")));
    }

    @Test
    void looksWhereHuggingFaceKeepsItsCache() throws IOException {
        Path home = cache.resolve("home");
        Files.createDirectories(home.resolve("hub/models--a--b/snapshots/s"));
        Files.createDirectories(home.resolve("hub/models--a--b/refs"));
        Files.writeString(home.resolve("hub/models--a--b/refs/main"), "s");
        assertEquals(
                home.resolve("hub/models--a--b/snapshots/s"),
                ModelFolder.locate(Path.of("a/b"), "", Map.of("HF_HOME", home.toString())::get));
    }

    @ParameterizedTest
    @ValueSource(strings = {"v9", "../x", "a/../b", "refs/pr/1", "", "x y"})
    void refusesRevisionsThatAreNotThere(String revision) {
        String named = revision.isEmpty() ? "org/other" : "org/name";
        var refused =
                assertThrows(ModelException.class, () -> locate(named, revision, "HF_HUB_CACHE"));
        assertTrue(String.valueOf(refused.getMessage()).contains(revision), refused.toString());
    }

    @Test
    void refusesARevisionOfAPlainFolder() {
        assertThrows(ModelException.class, () -> locate(snapshot.toString(), "main", "UNSET"));
    }

    @Test
    void takesLinksIntoTheSameCache() {
        assertDoesNotThrow(() -> FolderCheck.require(snapshot, true));
    }

    @Test
    void refusesLinksThatLeaveTheFolder() throws IOException {
        Path secret = Files.writeString(cache.resolve("secret.json"), "{}");
        Files.createSymbolicLink(snapshot.resolve("tokenizer.json"), secret);
        var refused = assertThrows(ModelException.class, () -> FolderCheck.require(snapshot, true));
        assertTrue(String.valueOf(refused.getMessage()).contains("leaves"), refused.toString());
        Path plain = Files.createDirectories(cache.resolve("plain"));
        Files.createSymbolicLink(plain.resolve("config.json"), snapshot.resolve("config.json"));
        Files.writeString(plain.resolve("model.safetensors"), "x");
        assertThrows(ModelException.class, () -> FolderCheck.require(plain, true));
    }

    @Test
    void namesAllThatIsMissingAtOnce() throws IOException {
        Path folder = Files.createDirectories(cache.resolve("folder"));
        var empty = assertThrows(ModelException.class, () -> FolderCheck.require(folder, true));
        assertTrue(String.valueOf(empty.getMessage()).contains("config.json"), empty.toString());
        assertTrue(
                String.valueOf(empty.getMessage()).contains("model.safetensors"), empty.toString());
        Files.writeString(
                folder.resolve("model.safetensors.index.json"),
                "{\"weight_map\":{\"a\":\"s1.safetensors\",\"b\":\"s2.safetensors\"}}");
        var shards = assertThrows(ModelException.class, () -> FolderCheck.require(folder, true));
        for (String name : new String[] {"config.json", "s1.safetensors", "s2.safetensors"}) {
            assertTrue(String.valueOf(shards.getMessage()).contains(name), shards.toString());
        }
        Files.writeString(folder.resolve("config.json"), "{}");
        assertDoesNotThrow(() -> FolderCheck.require(folder, false));
    }

    @ParameterizedTest
    @ValueSource(strings = {"pytorch_model.bin", "m.pt", "m.pth", "m.ckpt", "m.pkl"})
    void refusesPickleByName(String name) throws IOException {
        Path folder = Files.createDirectories(cache.resolve("folder"));
        Files.writeString(folder.resolve("config.json"), "{}");
        Files.writeString(folder.resolve(name), "x");
        var refused = assertThrows(ModelException.class, () -> FolderCheck.require(folder, true));
        assertTrue(String.valueOf(refused.getMessage()).contains(name), refused.toString());
    }

    @Test
    void refusesPickleUnderAnotherName() throws IOException {
        byte[][] heads = {
            {(byte) 0x80, 2, '}', 'q', 0, '.', 0, 0, 0, 0}, {'P', 'K', 3, 4, 0, 0, 0, 0, 0, 0}
        };
        for (byte[] head : heads) {
            Path file = Files.write(cache.resolve("model.safetensors"), head);
            var refused = assertThrows(ModelException.class, () -> SafetensorsFile.open(file));
            assertTrue(
                    String.valueOf(refused.getMessage()).contains("runs code"), refused.toString());
        }
    }
}
