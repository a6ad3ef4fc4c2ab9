package io.cortado.processor;

import java.util.Set;
import javax.annotation.processing.AbstractProcessor;
import javax.annotation.processing.RoundEnvironment;
import javax.annotation.processing.SupportedAnnotationTypes;
import javax.lang.model.SourceVersion;
import javax.lang.model.element.Element;
import javax.lang.model.element.TypeElement;
import javax.lang.model.util.ElementFilter;
import javax.tools.Diagnostic;
import javax.tools.JavaFileObject;

/** Makes errors of what {@code RecordType.of} would refuse of an annotated record. */
@SupportedAnnotationTypes("io.cortado.api.StructuredOutput")
public final class StructuredOutputProcessor extends AbstractProcessor {
    @Override
    public SourceVersion getSupportedSourceVersion() {
        return SourceVersion.latestSupported();
    }

    @Override
    public boolean process(Set<? extends TypeElement> annotations, RoundEnvironment round) {
        for (TypeElement annotation : annotations) {
            for (TypeElement root :
                    ElementFilter.typesIn(round.getElementsAnnotatedWith(annotation))) {
                new RecordCheck(
                                processingEnv.getElementUtils(),
                                (at, message) -> report(isSource(at) ? at : root, message))
                        .check(root);
            }
        }
        return false;
    }

    private void report(Element at, String message) {
        processingEnv.getMessager().printMessage(Diagnostic.Kind.ERROR, message, at);
    }

    /** Whether an error can stand there: what comes of a class file has no lines. */
    private boolean isSource(Element element) {
        JavaFileObject file = processingEnv.getElementUtils().getFileObjectOf(element);
        return file != null && file.getKind() == JavaFileObject.Kind.SOURCE;
    }
}
