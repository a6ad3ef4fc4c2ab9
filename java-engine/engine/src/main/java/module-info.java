/** The engine: everything between a prompt and its tokens, without HTTP. */
module io.cortado.engine {
    requires static transitive org.jspecify;
    requires io.cortado.bindings;
    requires static org.bytedeco.cuda;
    requires static org.bytedeco.javacpp;
    requires jdk.jfr;
    requires tools.jackson.databind;

    exports io.cortado.api;
    exports io.cortado.text;
    exports io.cortado.text.jinja;

    uses io.cortado.api.EngineProvider;
    uses io.cortado.api.LogitsProcessorFactory;

    provides io.cortado.api.EngineProvider with
            io.cortado.engine.CortadoEngineProvider;
}
