package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.device.RopeStyle;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ModelConfigTest {
    private static final String SIZES =
            "'hidden_size':64,'num_hidden_layers':4,'num_attention_heads':4,'vocab_size':512,"
                    + "'intermediate_size':160,'max_position_embeddings':256";

    @TempDir Path folder;

    private ModelConfig read(String type, String more) throws IOException {
        String json = "{'model_type':'" + type + "'," + SIZES + more + "}";
        Files.writeString(folder.resolve("config.json"), json.replace('\'', '"'));
        return ModelConfig.read(folder);
    }

    private static Rope halves(int rotaryDim, double theta, Rope.Scaling scaling) {
        return new Rope(RopeStyle.HALVES, rotaryDim, theta, scaling);
    }

    private static Rope rope(ModelConfig config, int layer) {
        return config.shape().layers().get(layer).rope();
    }

    @Test
    void absentKeysHaveTheFamilysDefaults() throws IOException {
        ModelConfig config = read("llama", "");
        assertEquals(4, config.shape().numKvHeads());
        assertEquals(16, config.shape().headDim());
        assertEquals(halves(16, 10000, new Rope.None()), rope(config, 0));
        assertEquals(List.of(), config.endTokenIds());
        assertEquals(List.of(0, 0, 0, 0), config.shape().windows());
    }

    @Test
    void endIdsOfBothFilesAreMerged() throws IOException {
        Files.writeString(
                folder.resolve("generation_config.json"),
                "{\"eos_token_id\":[7,9],\"temperature\":0.6,\"top_k\":20}");
        ModelConfig config = read("llama", ",'eos_token_id':[9,3]");
        assertEquals(List.of(9, 3, 7), config.endTokenIds());
        assertEquals(0.6, config.generation().temperature());
        assertEquals(20, config.generation().topK());
    }

    @Test
    void windowsFollowTheRuleOfTheFamily() throws IOException {
        String window = ",'sliding_window':16,'max_window_layers':3";
        assertEquals(List.of(16, 16, 16, 16), read("mistral", window).shape().windows());
        assertEquals(List.of(0, 0, 0, 0), read("qwen2", window).shape().windows());
        String used = window + ",'use_sliding_window':true";
        assertEquals(List.of(0, 0, 0, 16), read("qwen3", used).shape().windows());
        String types =
                ",'layer_types':['full_attention','sliding_attention','full_attention',"
                        + "'full_attention']";
        assertEquals(List.of(0, 16, 0, 0), read("qwen3", used + types).shape().windows());
    }

    @Test
    void ropeParametersMeanWhatRopeScalingMeant() throws IOException {
        String values =
                "'factor':8,'low_freq_factor':1,'high_freq_factor':4,"
                        + "'original_max_position_embeddings':64,'rope_type':'llama3'";
        Rope classic =
                rope(read("llama", ",'rope_theta':500000,'rope_scaling':{" + values + "}"), 0);
        Rope modern =
                rope(read("llama", ",'rope_parameters':{'rope_theta':500000," + values + "}"), 0);
        assertEquals(classic, modern);
        assertEquals(halves(16, 500000, new Rope.Llama3(8, 1, 4, 64)), modern);
    }

    @Test
    void yarnStretchesTheContext() throws IOException {
        ModelConfig config = read("qwen2", ",'rope_scaling':{'type':'yarn','factor':4.0}");
        assertEquals(1024, config.maxPositions());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                ",'rope_scaling':{'type':'dynamic','factor':2} | rope_type=dynamic",
                ",'rope_parameters':{'full_attention':{'rope_theta':1}} | full_attention",
                ",'rope_scaling':{'rope_type':'default','mrope_section':[1]} | mrope_section",
                ",'quantization_config':{'quant_method':'bitsandbytes'} | quant_method=bitsandbytes",
                ",'quantization_config':{'quant_method':'mxfp4'} | quant_method=mxfp4",
                ",'quantization_config':{'quant_method':'gptq','bits':8} | bits=8",
                ",'quantization_config':{'quant_method':'gptq','bits':4,'checkpoint_format':'marlin'} | marlin",
                ",'quantization_config':{'quant_method':'gptq','bits':4,'dynamic':{'-:x':{}}} | dynamic",
                ",'quantization_config':{'quant_method':'awq','bits':4,'version':'gemv'} | version=gemv",
                ",'quantization_config':{'quant_method':'fp8','fmt':'e5m2'} | fmt=e5m2",
                ",'quantization_config':{'quant_method':'fp8','kv_cache_scheme':'static'} | kv_cache_scheme",
                ",'quantization_config':{'quant_method':'compressed-tensors','format':'int-quantized','config_groups':{'a':{'weights':{'num_bits':8}}}} | format=int-quantized",
                ",'quantization_config':{'quant_method':'compressed-tensors','format':'pack-quantized','config_groups':{'a':{'weights':{'num_bits':8}}}} | num_bits=8",
                ",'quantization_config':{'quant_method':'compressed-tensors','format':'pack-quantized','config_groups':{'a':{'weights':{'num_bits':4,'actorder':'group'}}}} | actorder=group",
                ",'hidden_act':'relu' | hidden_act=relu",
                ",'sliding_window':4096 | sliding_window=4096",
                ",'use_mrope':true | use_mrope",
                ",'attention_multiplier':0.5 | attention_multiplier",
                ",'residual_multiplier':0.5 | residual_multiplier",
                ",'final_logit_softcapping':30.0 | final_logit_softcapping",
                ",'partial_rotary_factor':0.5 | partial_rotary_factor",
                ",'position_embedding_type':'alibi' | position_embedding_type",
                ",'layer_types':['linear_attention','a','b','c'] | linear_attention",
                ",'architectures':['LlamaForSequenceClassification'] | ForCausalLM",
                ",'head_dim':24 | head_dim=24",
                ",'head_dim':512 | head_dim=512"
            })
    void whatIsNotBuiltIsRefusedByName(String more, String name) throws IOException {
        var refused = assertThrows(ModelException.class, () -> read("llama", more));
        assertEquals(ModelException.Kind.UNSUPPORTED, refused.kind(), refused.toString());
        assertTrue(String.valueOf(refused.getMessage()).contains(name), refused.toString());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                ",'num_key_value_heads':3 | num_key_value_heads",
                ",'num_key_value_heads':0 | num_key_value_heads",
                ",'rms_norm_eps':-1 | rms_norm_eps",
                ",'rope_theta':0 | rope_theta",
                ",'rope_theta':1e999 | rope_theta",
                ",'rope_theta':'x' | rope_theta",
                ",'rope_scaling':{'type':'linear','factor':NaN} | JSON",
                ",'rope_scaling':{'type':'linear'} | factor",
                ",'rope_scaling':{'type':'linear','factor':0} | factor",
                ",'rope_scaling':7 | rope_scaling",
                ",'rope_scaling':{'rope_type':'longrope'} | short_factor",
                ",'tie_word_embeddings':1 | tie_word_embeddings",
                ",'eos_token_id':'x' | eos_token_id",
                ",'layer_types':['full_attention'] | layer_types",
                ",'vocab_size':1 | JSON",
                ",'hidden_act':[[[]]] | hidden_act"
            })
    void nonsenseIsRefusedByName(String more, String name) throws IOException {
        var refused = assertThrows(ModelException.class, () -> read("llama", more));
        assertEquals(ModelException.Kind.INVALID, refused.kind(), refused.toString());
        assertTrue(String.valueOf(refused.getMessage()).contains(name), refused.toString());
    }

    @ParameterizedTest
    @CsvSource({
        "num_hidden_layers,2000000000",
        "num_attention_heads,0",
        "hidden_size,1e18",
        "vocab_size,-5",
        "intermediate_size,2.5",
        "max_position_embeddings,1e12"
    })
    void absurdSizesAreRefusedWithTheirLimits(String key, String value) throws IOException {
        String json = "{\"model_type\":\"llama\"," + SIZES.replace('\'', '"') + "}";
        String absurd = json.replaceAll("\"" + key + "\":\\d+", "\"" + key + "\":" + value);
        Files.writeString(folder.resolve("config.json"), absurd);
        var refused = assertThrows(ModelException.class, () -> ModelConfig.read(folder));
        assertTrue(String.valueOf(refused.getMessage()).contains(key), refused.toString());
    }

    @Test
    void anUnknownFamilyIsRefusedByName() {
        var refused = assertThrows(ModelException.class, () -> read("rwkv", ""));
        assertEquals(ModelException.Kind.UNSUPPORTED, refused.kind());
        assertTrue(String.valueOf(refused.getMessage()).contains("model_type=rwkv"));
    }

    @Test
    void filesThatAreNoConfigurationAreRefused() throws IOException {
        for (String text : List.of("", "[]", "{", "{}", "[".repeat(100_000), "nul", "{} {}")) {
            Files.writeString(folder.resolve("config.json"), text);
            assertThrows(ModelException.class, () -> ModelConfig.read(folder), text);
        }
        Files.delete(folder.resolve("config.json"));
        assertThrows(ModelException.class, () -> ModelConfig.read(folder));
    }
}
