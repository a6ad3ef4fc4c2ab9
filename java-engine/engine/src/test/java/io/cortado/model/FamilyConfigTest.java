package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.device.Activation;
import io.cortado.device.MoeActivation;
import io.cortado.device.MoeScores;
import io.cortado.device.NormKind;
import io.cortado.device.RopeStyle;
import io.cortado.model.DecoderShape.Biases;
import io.cortado.model.DecoderShape.Fusion;
import io.cortado.model.DecoderShape.Multipliers;
import io.cortado.model.DecoderShape.NormPlaces;
import io.cortado.model.DecoderShape.QkNorm;
import io.cortado.model.DecoderShape.Scores;
import io.cortado.moe.ExpertShape;
import io.cortado.moe.Routing;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What each family's configuration means, in its classic form and in that of transformers 5. */
class FamilyConfigTest {
    private static final String SIZES =
            "'hidden_size':64,'num_hidden_layers':4,'num_attention_heads':4,'vocab_size':512,"
                    + "'intermediate_size':160,'max_position_embeddings':1024";

    private static final String FACTORS =
            "'short_factor':[1,1,1,1,1,1],'long_factor':[1,2,3,4,5,6]";

    @TempDir Path folder;

    private ModelConfig read(String type, String more) throws IOException {
        String json = "{'model_type':'" + type + "'," + SIZES + more + "}";
        Files.writeString(folder.resolve("config.json"), json.replace('\'', '"'));
        return ModelConfig.read(folder);
    }

    private DecoderShape shape(String type, String more) throws IOException {
        return read(type, more).shape();
    }

    private static Rope halves(int rotaryDim, double theta, Rope.Scaling scaling) {
        return new Rope(RopeStyle.HALVES, rotaryDim, theta, scaling);
    }

    private static List<Rope> ropes(DecoderShape shape) {
        return shape.layers().stream().map(DecoderShape.Layer::rope).toList();
    }

    private static Rope rope(DecoderShape shape) {
        return ropes(shape).getFirst();
    }

    @Test
    void gemma2HasItsDefaults() throws IOException {
        DecoderShape shape = shape("gemma2", "");
        assertEquals(1, shape.norms().offset());
        assertEquals(4, shape.norms().places().count());
        assertEquals(QkNorm.NONE, shape.norms().qk());
        assertEquals(new Scores(1 / 16f, 50), shape.scores());
        assertEquals(new Multipliers(8, 1, 1, 30), shape.multipliers());
        assertEquals(List.of(4096, 0, 4096, 0), shape.windows());
        assertEquals(Activation.GELU_TANH, shape.activation());
        assertTrue(shape.tiedEmbeddings());
    }

    @Test
    void gemma2TellsAbsentFromNull() throws IOException {
        String nulls =
                ",'attn_logit_softcapping':null,'final_logit_softcapping':null,"
                        + "'sliding_window':null,'hidden_act':'gelu'";
        DecoderShape shape = shape("gemma2", nulls + ",'query_pre_attn_scalar':64");
        assertEquals(new Scores(1 / 8f, 0), shape.scores());
        assertEquals(0, shape.multipliers().logitSoftCap());
        assertEquals(List.of(0, 0, 0, 0), shape.windows());
        assertEquals(Activation.GELU_TANH, shape.activation());
    }

    @Test
    void gemma3RotatesSlidingLayersWithTheirOwnBaseInEveryForm() throws IOException {
        String pattern = ",'sliding_window':16,'sliding_window_pattern':3";
        String classic =
                pattern + ",'rope_theta':2e6,'rope_scaling':{'rope_type':'linear','factor':8}";
        Rope full = halves(16, 2e6, new Rope.Linear(8));
        Rope local = halves(16, 10000, new Rope.None());
        List<Rope> expected = List.of(local, local, full, local);
        assertEquals(expected, ropes(shape("gemma3_text", classic)));
        String nested =
                ",'sliding_window':16,'_sliding_window_pattern':3,'rope_parameters':{"
                        + "'full_attention':{'rope_type':'linear','factor':8,'rope_theta':2e6},"
                        + "'sliding_attention':{'rope_type':'default','rope_theta':10000}}";
        assertEquals(shape("gemma3_text", classic), shape("gemma3_text", nested));
        String types =
                ",'sliding_window':16,'layer_types':['full_attention','sliding_attention',"
                        + "'sliding_attention','full_attention'],'rope_local_base_freq':500";
        DecoderShape byTypes = shape("gemma3_text", types);
        assertEquals(List.of(0, 16, 16, 0), byTypes.windows());
        assertEquals(1e6, ropes(byTypes).getFirst().theta());
        assertEquals(500, ropes(byTypes).get(1).theta());
        assertEquals(new Scores(1 / 16f, 0), byTypes.scores());
        assertEquals(QkNorm.EACH_HEAD, byTypes.norms().qk());
        assertEquals(0, byTypes.multipliers().logitSoftCap());
    }

    @Test
    void phi3FusesAndMayRotateAPart() throws IOException {
        DecoderShape shape = shape("phi3", ",'partial_rotary_factor':0.75,'sliding_window':31");
        assertEquals(new Fusion(true, true), shape.fusion());
        assertEquals(halves(12, 10000, new Rope.None()), rope(shape));
        assertEquals(List.of(31, 31, 31, 31), shape.windows());
        assertFalse(shape.tiedEmbeddings());
        assertEquals(0, shape("phi3", ",'sliding_window':null").windows().getFirst());
    }

    @Test
    void longRopeReadsTheSameFromEveryForm() throws IOException {
        String beside = ",'original_max_position_embeddings':64,'partial_rotary_factor':0.75";
        ModelConfig config =
                read("phi3", beside + ",'rope_scaling':{'type':'longrope'," + FACTORS + "}");
        Rope.Long scaling = (Rope.Long) rope(config.shape()).scaling();
        assertEquals(64, scaling.originalPositions());
        assertEquals(Math.sqrt(1 + Math.log(16) / Math.log(64)), scaling.attentionFactor(), 1e-12);
        assertEquals(64, config.otherAnglesAbove());
        assertEquals(1024, config.maxPositions());
        for (String other :
                List.of(
                        beside + ",'rope_scaling':{'type':'su'," + FACTORS + "}",
                        beside + ",'rope_scaling':{'type':'yarn'," + FACTORS + "}",
                        beside
                                + ",'rope_scaling':{'type':'su','rope_type':'longrope',"
                                + FACTORS
                                + "}",
                        ",'rope_parameters':{'rope_type':'longrope','rope_theta':10000,"
                                + "'partial_rotary_factor':0.75,"
                                + "'original_max_position_embeddings':64,"
                                + FACTORS
                                + "}")) {
            assertEquals(config.shape(), shape("phi3", other), other);
        }
        String given = ",'rope_scaling':{'type':'longrope','attention_factor':1.25," + FACTORS;
        scaling = (Rope.Long) rope(shape("phi3", beside + given + "}")).scaling();
        assertEquals(1.25, scaling.attentionFactor());
    }

    @Test
    void oneSetOfAnglesServesAllOtherModels() throws IOException {
        assertEquals(1024, read("llama", "").otherAnglesAbove());
    }

    @Test
    void olmo2NormsOutputsOnlyAndAllHeadsTogether() throws IOException {
        DecoderShape shape = shape("olmo2", ",'num_key_value_heads':2,'attention_bias':true");
        assertEquals(
                new NormPlaces(
                        null, "post_attention_layernorm", null, "post_feedforward_layernorm"),
                shape.norms().places());
        assertEquals(QkNorm.ALL_HEADS, shape.norms().qk());
        assertEquals(64, shape.qNormSize());
        assertEquals(32, shape.kNormSize());
        assertEquals(new Biases(true, true, false), shape.biases());
        assertEquals(1e-5f, shape.norms().eps());
    }

    @Test
    void graniteHasFourMultipliers() throws IOException {
        DecoderShape shape =
                shape(
                        "granite",
                        ",'attention_multiplier':0.0625,'embedding_multiplier':12,"
                                + "'residual_multiplier':0.22,'logits_scaling':8,'mlp_bias':true");
        assertEquals(new Scores(0.0625f, 0), shape.scores());
        assertEquals(new Multipliers(12, 0.22f, 0.125f, 0), shape.multipliers());
        assertEquals(new Biases(false, false, true), shape.biases());
        DecoderShape plain = shape("granite", "");
        assertEquals(new Scores(1, 0), plain.scores());
        assertEquals(new Multipliers(1, 1, 1, 0), plain.multipliers());
    }

    @Test
    void smolLm3RotatesWhereItsFlagsSayOne() throws IOException {
        Rope rope = halves(16, 2e6, new Rope.None());
        assertEquals(List.of(rope, rope, rope, Rope.NONE), ropes(shape("smollm3", "")));
        assertEquals(
                List.of(Rope.NONE, rope, Rope.NONE, rope),
                ropes(
                        shape(
                                "smollm3",
                                ",'no_rope_layer_interval':2,'no_rope_layers':[0,1,0,1,1]")));
        assertEquals(
                List.of(rope, Rope.NONE, rope, Rope.NONE),
                ropes(shape("smollm3", ",'no_rope_layer_interval':2,'no_rope_layers':null")));
        DecoderShape sliding = shape("smollm3", ",'use_sliding_window':true,'sliding_window':16");
        assertEquals(List.of(0, 0, 0, 16), sliding.windows());
        assertTrue(sliding.tiedEmbeddings());
        assertEquals(List.of(0, 0, 0, 0), shape("smollm3", ",'sliding_window':16").windows());
    }

    @Test
    void glm4RotatesNeighboursOfHalfTheHead() throws IOException {
        DecoderShape shape = shape("glm4", ",'head_dim':32,'attention_bias':false");
        Rope half = new Rope(RopeStyle.NEIGHBOURS, 16, 10000, new Rope.None());
        assertEquals(half, rope(shape));
        assertEquals(new Fusion(false, true), shape.fusion());
        assertEquals(4, shape.norms().places().count());
        assertEquals(new Biases(false, false, false), shape.biases());
        String modern =
                ",'head_dim':32,'attention_bias':false,'rope_parameters':{'rope_type':'default',"
                        + "'rope_theta':10000,'partial_rotary_factor':0.5}";
        assertEquals(shape, shape("glm4", modern));
        DecoderShape older = shape("glm", ",'head_dim':32");
        assertEquals(2, older.norms().places().count());
        assertEquals(new Biases(true, false, false), older.biases());
    }

    @Test
    void cohere2RunsInParallelAndItsFullLayersDoNotRotate() throws IOException {
        DecoderShape shape = shape("cohere2", ",'sliding_window':16,'logit_scale':0.25");
        Rope rope = new Rope(RopeStyle.NEIGHBOURS, 16, 10000, new Rope.None());
        assertEquals(List.of(rope, rope, rope, Rope.NONE), ropes(shape));
        assertEquals(List.of(16, 16, 16, 0), shape.windows());
        assertTrue(shape.isParallel());
        assertTrue(shape.tiedEmbeddings());
        assertEquals(NormKind.LAYER, shape.norms().kind());
        assertEquals(1, shape.norms().places().count());
        assertEquals(new Multipliers(1, 1, 0.25f, 0), shape.multipliers());
        String modern =
                ",'sliding_window':16,'logit_scale':0.25,'layer_types':['sliding_attention',"
                        + "'sliding_attention','sliding_attention','full_attention'],"
                        + "'rope_parameters':{'rope_type':'default','rope_theta':10000}";
        assertEquals(shape, shape("cohere2", modern));
        assertEquals(
                List.of(4096, 0, 4096, 0),
                shape("cohere2", ",'layer_switch':2,'rotary_pct':1.0").windows());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "gemma2 | ,'hidden_activation':'gelu' | hidden_activation=gelu",
                "gemma2 | ,'residual_multiplier':2 | residual_multiplier",
                "gemma3_text | ,'attn_logit_softcapping':50.0 | attn_logit_softcapping",
                "gemma3_text | ,'use_bidirectional_attention':true | use_bidirectional_attention",
                "gemma3_text | ,'sliding_window':null | sliding_window",
                "gemma3_text | ,'rope_parameters':{'full_attention':{},'x':{'a':1}} | x=",
                "gemma3 | ,'text_config':{'a':1} | model_type=gemma3",
                "phi3 | ,'attention_bias':true | attention_bias",
                "phi3 | ,'lm_head_bias':true | lm_head_bias",
                "phi3 | ,'full_attn_mod':2 | full_attn_mod",
                "phi3 | ,'partial_rotary_factor':0.35 | partial_rotary_factor=0.35",
                "phi3 | ,'embedding_multiplier':2 | embedding_multiplier",
                "olmo2 | ,'clip_qkv':8 | clip_qkv",
                "olmo2 | ,'partial_rotary_factor':0.5 | partial_rotary_factor",
                "granite | ,'logit_scale':2 | logit_scale",
                "granite | ,'sliding_window':16 | sliding_window",
                "smollm3 | ,'rope_scaling':{'type':'dynamic','factor':2} | rope_type=dynamic",
                "glm4 | ,'mlp_bias':true | mlp_bias",
                "cohere2 | ,'use_qk_norm':true | use_qk_norm",
                "cohere2 | ,'use_parallel_block':false | use_parallel_block",
                "cohere2 | ,'use_gated_activation':false | use_gated_activation",
                "cohere2 | ,'use_embedding_sharing':false | use_embedding_sharing",
                "cohere2 | ,'position_embedding_type':'alibi' | position_embedding_type",
                "cohere2 | ,'order_of_interleaved_layers':'x' | order_of_interleaved_layers",
                "cohere2 | ,'rotary_pct':0.5 | rotary_pct",
                "cohere2 | ,'layer_switch':2,'sliding_window_pattern':4 | layer_switch=2",
                "cohere2 | ,'sliding_window':null | sliding_window",
                "llama | ,'layer_norm_eps':1e-5 | layer_norm_eps",
                "llama | ,'query_pre_attn_scalar':24 | query_pre_attn_scalar",
                "llama | ,'no_rope_layers':[1,0,1,1] | no_rope_layers",
                "granitemoe | ,'num_local_experts':8 | model_type=granitemoe",
                "kimi_k2 | ,'n_routed_experts':8 | model_type=kimi_k2"
            })
    void whatAFamilyDoesNotHaveIsRefusedByName(String type, String more, String name) {
        assertRefused(ModelException.Kind.UNSUPPORTED, type, more, name);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "gemma2 | ,'query_pre_attn_scalar':0 | query_pre_attn_scalar",
                "gemma2 | ,'attn_logit_softcapping':-1 | attn_logit_softcapping",
                "gemma2 | ,'sliding_window':0 | sliding_window",
                "gemma3_text | ,'sliding_window_pattern':0 | sliding_window_pattern",
                "gemma3_text | ,'rope_parameters':{'full_attention':7} | full_attention",
                "phi3 | ,'rope_scaling':{'type':'su','short_factor':[1]} | short_factor",
                "phi3 | ,'rope_scaling':{'type':'su','short_factor':[0,0]} | short_factor",
                "phi3 | ,'original_max_position_embeddings':0,'rope_scaling':{'type':'su'} |"
                        + " original_max_position_embeddings",
                "granite | ,'logits_scaling':0 | logits_scaling",
                "smollm3 | ,'no_rope_layers':[1,1] | no_rope_layers",
                "smollm3 | ,'no_rope_layers':[1,1,1,2] | no_rope_layers",
                "smollm3 | ,'no_rope_layer_interval':0 | no_rope_layer_interval",
                "cohere2 | ,'layer_norm_eps':-1 | layer_norm_eps",
                "cohere2 | ,'logit_scale':'x' | logit_scale"
            })
    void nonsenseIsRefusedByName(String type, String more, String name) {
        assertRefused(ModelException.Kind.INVALID, type, more, name);
    }

    @Test
    void contradictionsBetweenTheFormsAreRefused() {
        for (String more :
                List.of(
                        ",'rope_theta':5,'rope_parameters':{'rope_theta':6}",
                        ",'partial_rotary_factor':0.75,"
                                + "'rope_parameters':{'partial_rotary_factor':0.5}",
                        ",'rope_scaling':{'type':'linear','factor':2},"
                                + "'rope_parameters':{'rope_type':'linear','factor':4}",
                        ",'original_max_position_embeddings':64,'rope_scaling':{'type':'longrope',"
                                + "'factor':2,'short_factor':[1,1,1,1,1,1,1,1],"
                                + "'long_factor':[1,1,1,1,1,1,1,1]}")) {
            assertRefused(ModelException.Kind.UNSUPPORTED, "phi3", more, "contradict");
        }
    }

    private void assertRefused(ModelException.Kind kind, String type, String more, String name) {
        var refused = assertThrows(ModelException.class, () -> read(type, more), more);
        assertEquals(kind, refused.kind(), refused.toString());
        assertTrue(String.valueOf(refused.getMessage()).contains(name), refused.toString());
    }

    private static final String EXPERTS =
            ",'num_experts':8,'num_experts_per_tok':2,'moe_intermediate_size':48,"
                    + "'router_aux_loss_coef':0.1";

    private static DecoderShape.Experts experts(DecoderShape shape) {
        return Objects.requireNonNull(shape.experts());
    }

    private static List<Boolean> sparse(DecoderShape shape) {
        return shape.layers().stream().map(DecoderShape.Layer::hasExperts).toList();
    }

    @Test
    void mixtralsInnerSizeIsItsExperts() throws IOException {
        DecoderShape shape = shape("mixtral", ",'num_local_experts':8,'num_experts_per_tok':2");
        assertEquals(List.of(true, true, true, true), sparse(shape));
        assertEquals(160, experts(shape).shape().innerSize());
        assertEquals(Routing.of(8, 2, MoeScores.SOFTMAX, true), experts(shape).shape().routing());
        assertEquals("w3", experts(shape).names().up());
        assertEquals(0, shape.widestMlp());
    }

    @Test
    void qwen2MoeHasDenseLayersAndAGatedSharedExpert() throws IOException {
        String more = EXPERTS + ",'shared_expert_intermediate_size':96,'decoder_sparse_step':2";
        DecoderShape shape = shape("qwen2_moe", more + ",'mlp_only_layers':[3]");
        assertEquals(List.of(false, true, false, false), sparse(shape));
        assertEquals(96, experts(shape).sharedSize());
        assertTrue(experts(shape).hasSharedGate());
        assertFalse(experts(shape).shape().routing().renormalize());
        assertEquals(new Biases(true, false, false), shape.biases());
        assertEquals(160, shape.widestMlp());
        DecoderShape all = shape("qwen2_moe", more.replace("step':2", "step':1"));
        assertEquals(96, all.widestMlp());
    }

    @Test
    void qwen3MoeNamesItsExpertsInEitherWay() throws IOException {
        DecoderShape classic = shape("qwen3_moe", EXPERTS + ",'norm_topk_prob':true");
        assertTrue(experts(classic).shape().routing().renormalize());
        assertEquals(QkNorm.EACH_HEAD, classic.norms().qk());
        String modern = EXPERTS.replace("num_experts'", "num_local_experts'");
        assertEquals(classic, shape("qwen3_moe", modern + ",'norm_topk_prob':true"));
        String both = EXPERTS + ",'num_local_experts':4";
        assertThrows(ModelException.class, () -> shape("qwen3_moe", both));
        String many = EXPERTS.replace("per_tok':2", "per_tok':9");
        assertThrows(ModelException.class, () -> shape("qwen3_moe", many));
    }

    @Test
    void olmoeRefusesAClipOfQkv() throws IOException {
        String more = ",'num_experts':8,'num_experts_per_tok':2";
        DecoderShape shape = shape("olmoe", more);
        assertEquals(QkNorm.ALL_HEADS, shape.norms().qk());
        assertEquals(160, experts(shape).shape().innerSize());
        assertThrows(ModelException.class, () -> shape("olmoe", more + ",'clip_qkv':8"));
    }

    @Test
    void gptOssHasSinksWindowsAndClampedExperts() throws IOException {
        String more = ",'num_local_experts':4,'num_experts_per_tok':2,'sliding_window':16";
        DecoderShape shape = shape("gpt_oss", more);
        assertTrue(shape.hasSinks());
        assertEquals(List.of(16, 0, 16, 0), shape.windows());
        assertEquals(150000, rope(shape).theta());
        ExpertShape experts = experts(shape).shape();
        assertEquals(MoeActivation.SILU_CLAMPED, experts.activation());
        assertEquals(7, experts.limit());
        assertTrue(experts.hasBiases());
        assertEquals(MoeScores.SOFTMAX_CHOSEN, experts.routing().scores());
        assertTrue(experts.routing().hasBias());
        String contradicting = more + ",'experts_per_token':3";
        assertThrows(ModelException.class, () -> shape("gpt_oss", contradicting));
    }
}
