package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.EmbeddingInfo;
import io.cortado.api.EmbeddingParams;
import io.cortado.api.EngineException;
import io.cortado.api.Pooling;
import io.cortado.model.ModelConfig;
import io.cortado.model.ModelException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the files of sentence-transformers do to a model. */
class EmbeddingFilesTest {
    private static final String TRANSFORMER =
            "{\"idx\":0,\"name\":\"0\",\"path\":\"\",\"type\":\"sentence_transformers.models.Transformer\"}";
    private static final String POOLING =
            "{\"idx\":1,\"name\":\"1\",\"path\":\"1_Pooling\",\"type\":\"sentence_transformers.models.Pooling\"}";
    private static final String NORMALIZE =
            "{\"idx\":2,\"name\":\"2\",\"path\":\"2_Normalize\",\"type\":\"sentence_transformers.models.Normalize\"}";

    @TempDir Path folder;

    @BeforeEach
    void writeConfig() throws IOException {
        TinyModel.in(folder);
    }

    private EmbeddingInfo info() {
        return EmbeddingFiles.read(folder, ModelConfig.read(folder), 100);
    }

    private void write(String name, String text) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private void modules(String... modules) throws IOException {
        write("modules.json", "[" + String.join(",", modules) + "]");
    }

    private void pooling(String fields) throws IOException {
        write("1_Pooling/config.json", "{" + fields + "}");
    }

    @Test
    void anOrdinaryCheckpointGivesItsLastTokenNormalized() {
        EmbeddingInfo info = info();
        assertEquals(Pooling.LAST, info.pooling());
        assertTrue(info.normalize());
        assertEquals(64, info.dimensions());
        assertEquals(100, info.maxTokens());
        assertNull(info.refusal());
    }

    @ParameterizedTest
    @CsvSource({
        "pooling_mode_mean_tokens,MEAN",
        "pooling_mode_lasttoken,LAST",
        "pooling_mode_cls_token,CLS"
    })
    void theModeThatIsOnDecides(String mode, Pooling pooling) throws IOException {
        modules(TRANSFORMER, POOLING);
        pooling(
                "\"word_embedding_dimension\":64,\"pooling_mode_max_tokens\":false,\"include_prompt\":true,\""
                        + mode
                        + "\":true");
        write("sentence_bert_config.json", "{\"max_seq_length\":40,\"do_lower_case\":false}");
        EmbeddingInfo info = info();
        assertEquals(pooling, info.pooling());
        assertFalse(info.normalize());
        assertEquals(40, info.maxTokens());
        assertNull(info.refusal());
    }

    @Test
    void aStepThatNormalizesIsRead() throws IOException {
        modules(TRANSFORMER, POOLING, NORMALIZE);
        pooling("\"pooling_mode\":\"mean\"");
        assertTrue(info().normalize());
        assertEquals(Pooling.MEAN, info().pooling());
    }

    @Test
    void aPoolingThatIsNotBuiltIsRefusedUntilTheCallerNamesOne() throws IOException {
        modules(TRANSFORMER, POOLING);
        pooling("\"pooling_mode_max_tokens\":true");
        EmbeddingInfo info = info();
        assertNull(info.pooling());
        EngineException e =
                assertThrows(EngineException.class, () -> info.check(EmbeddingParams.defaults()));
        assertTrue(String.valueOf(e.getMessage()).contains("max_tokens"), e::getMessage);
        info.check(new EmbeddingParams(Pooling.MEAN, null, null));
        pooling("\"pooling_mode_mean_tokens\":true,\"pooling_mode_cls_token\":true");
        assertNull(info().pooling(), "two modes are concatenated there");
    }

    @Test
    void stepsThatAreNotBuiltAreRefusedWhateverTheCallerNames() throws IOException {
        modules(
                TRANSFORMER,
                POOLING,
                "{\"path\":\"2_Dense\",\"type\":\"sentence_transformers.models.Dense\"}");
        pooling("\"pooling_mode_mean_tokens\":true");
        EngineException e =
                assertThrows(
                        EngineException.class,
                        () -> info().check(new EmbeddingParams(Pooling.MEAN, null, null)));
        assertTrue(String.valueOf(e.getMessage()).contains("models.Dense"), e::getMessage);
        modules(TRANSFORMER, POOLING);
        pooling("\"pooling_mode_mean_tokens\":true,\"word_embedding_dimension\":32");
        assertTrue(String.valueOf(info().refusal()).contains("hidden_size=64"));
        pooling("\"pooling_mode_mean_tokens\":true");
        write("sentence_bert_config.json", "{\"do_lower_case\":true}");
        assertTrue(String.valueOf(info().refusal()).contains("do_lower_case"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "[{\"path\":\"../x\",\"type\":\"a.Pooling\"}]",
                "[{\"path\":\"/etc\",\"type\":\"a.Pooling\"}]",
                "[{\"type\":\"a.Pooling\"}]",
                "[",
                "[]]"
            })
    void malformedFilesAreRefusedWithTheirName(String text) throws IOException {
        write("modules.json", text);
        ModelException e = assertThrows(ModelException.class, this::info);
        assertTrue(String.valueOf(e.getMessage()).contains("modules.json"), e::getMessage);
    }
}
