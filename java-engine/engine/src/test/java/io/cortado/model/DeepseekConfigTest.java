package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.device.DType;
import io.cortado.device.MoeScores;
import io.cortado.device.RopeStyle;
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

class DeepseekConfigTest {
    /** DeepSeek-V2-Lite's, with fewer layers. */
    private static final String V2 =
            "'model_type':'deepseek_v2','hidden_size':2048,'num_hidden_layers':3,'vocab_size':102400,"
                    + "'num_attention_heads':16,'num_key_value_heads':16,'intermediate_size':10944,"
                    + "'max_position_embeddings':163840,'kv_lora_rank':512,'q_lora_rank':null,"
                    + "'qk_nope_head_dim':128,'qk_rope_head_dim':64,'v_head_dim':128,'n_group':1,"
                    + "'topk_group':1,'topk_method':'greedy','scoring_func':'softmax','seq_aux':true,"
                    + "'norm_topk_prob':false,'routed_scaling_factor':1.0,'n_routed_experts':64,"
                    + "'n_shared_experts':2,'num_experts_per_tok':6,'moe_intermediate_size':1408,"
                    + "'moe_layer_freq':1,'first_k_dense_replace':1,'attention_bias':false,"
                    + "'aux_loss_alpha':0.001,'ep_size':1,'rope_theta':10000,'rope_scaling':"
                    + "{'type':'yarn','factor':40,'mscale':0.707,'mscale_all_dim':0.707,"
                    + "'beta_fast':32,'beta_slow':1,'original_max_position_embeddings':4096}";

    /** DeepSeek-V3's, with fewer layers and experts. */
    private static final String V3 =
            "'model_type':'deepseek_v3','hidden_size':7168,'num_hidden_layers':4,'vocab_size':129280,"
                    + "'num_attention_heads':128,'num_key_value_heads':128,'intermediate_size':18432,"
                    + "'max_position_embeddings':4096,'kv_lora_rank':512,'q_lora_rank':1536,"
                    + "'qk_nope_head_dim':128,'qk_rope_head_dim':64,'v_head_dim':128,'n_group':8,"
                    + "'topk_group':4,'topk_method':'noaux_tc','scoring_func':'sigmoid',"
                    + "'norm_topk_prob':true,'routed_scaling_factor':2.5,'n_routed_experts':64,"
                    + "'n_shared_experts':1,'num_experts_per_tok':8,'moe_intermediate_size':2048,"
                    + "'moe_layer_freq':1,'first_k_dense_replace':3,'num_nextn_predict_layers':1";

    @TempDir Path folder;

    private DecoderShape shape(String json) throws IOException {
        Files.writeString(folder.resolve("config.json"), ("{" + json + "}").replace('\'', '"'));
        return ModelConfig.read(folder).shape();
    }

    private static DecoderShape.Experts experts(DecoderShape shape) {
        return Objects.requireNonNull(shape.experts());
    }

    private static List<Boolean> sparse(DecoderShape shape) {
        return shape.layers().stream().map(DecoderShape.Layer::hasExperts).toList();
    }

    @Test
    void v2HasOneProjectionOfQueriesAndScoresByStretching() throws IOException {
        DecoderShape shape = shape(V2);
        assertEquals(new DecoderShape.Latent(0, 512, 128, 64, 128), shape.latent());
        assertEquals(List.of(false, true, true), sparse(shape));
        assertEquals(2 * 1408, experts(shape).sharedSize());
        assertFalse(experts(shape).hasSharedGate());
        assertEquals(Routing.of(64, 6, MoeScores.SOFTMAX, false), experts(shape).shape().routing());
        double mscale = 0.1 * 0.707 * Math.log(40) + 1;
        assertEquals(mscale * mscale / Math.sqrt(192), shape.scores().scale(), 1e-7);
        Rope rope = shape.layers().getFirst().rope();
        assertEquals(RopeStyle.NEIGHBOURS, rope.style());
        assertEquals(64, rope.rotaryDim());
        assertEquals(1, RopeTable.attentionFactor(rope.scaling()));
    }

    @Test
    void v2ChoosesAmongTheBestGroupsWhereItSaysSo() throws IOException {
        String grouped =
                V2.replace("'greedy'", "'group_limited_greedy'")
                        .replace("'n_group':1,'topk_group':1", "'n_group':8,'topk_group':3")
                        .replace("'routed_scaling_factor':1.0", "'routed_scaling_factor':16");
        Routing routing = experts(shape(grouped)).shape().routing();
        assertEquals(new Routing.Groups(8, 3, false), routing.groups());
        assertEquals(16, routing.scale());
    }

    @Test
    void v3HasTwoProjectionsOfQueriesAndCorrectedSigmoids() throws IOException {
        DecoderShape shape = shape(V3);
        assertEquals(new DecoderShape.Latent(1536, 512, 128, 64, 128), shape.latent());
        assertEquals(List.of(false, false, false, true), sparse(shape));
        assertEquals(
                new Routing(
                        64,
                        8,
                        MoeScores.SIGMOID,
                        new Routing.Groups(8, 4, true),
                        true,
                        2.5f,
                        false,
                        true),
                experts(shape).shape().routing());
        assertEquals(1 / Math.sqrt(192), shape.scores().scale(), 1e-8);
        assertEquals(1, shape.numDraftLayers());
        assertEquals(1536 + 576, shape.qkvSize());
        assertEquals(128 * 512, shape.attendedSize());
        assertEquals(128 * 128, shape.outputSize());
    }

    @Test
    void aTokenTakesOneLatentInTheCache() throws IOException {
        assertEquals(4 * 576 * 16 * 2, shape(V3).kvBytesPerBlock(DType.BF16));
    }

    @Test
    void headsMayRotateByHalves() throws IOException {
        DecoderShape shape = shape(V3 + ",'rope_interleave':false,'head_dim':64,'qk_head_dim':192");
        assertEquals(RopeStyle.HALVES, shape.layers().getFirst().rope().style());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "'norm_topk_prob':false | 'norm_topk_prob':true",
                "'scoring_func':'softmax' | 'scoring_func':'sigmoid'",
                "'topk_method':'greedy' | 'topk_method':'noaux_tc'",
                "'moe_layer_freq':1 | 'moe_layer_freq':2",
                "'attention_bias':false | 'attention_bias':true",
                "'num_key_value_heads':16 | 'num_key_value_heads':8",
                "'kv_lora_rank':512 | 'kv_lora_rank':528",
                "'kv_lora_rank':512 | 'kv_lora_rank':40",
                "'v_head_dim':128 | 'v_head_dim':100",
                "'qk_rope_head_dim':64 | 'qk_rope_head_dim':80"
            })
    void whatIsNotServedIsRefusedByName(String given, String other) {
        String key = other.substring(1, other.indexOf('\'', 1));
        assertTrue(V2.contains(given));
        var refused =
                assertThrows(ModelException.class, () -> shape(V2.replace(given, other)), other);
        assertEquals(ModelException.Kind.UNSUPPORTED, refused.kind());
        assertTrue(String.valueOf(refused.getMessage()).contains(key), refused.toString());
    }
}
