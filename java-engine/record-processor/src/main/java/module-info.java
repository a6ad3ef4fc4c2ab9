/** An annotation processor: javac finds it on the processor path. */
module io.cortado.processor {
    requires static org.jspecify;
    requires java.compiler;

    provides javax.annotation.processing.Processor with
            io.cortado.processor.StructuredOutputProcessor;
}
