package io.cortado.processor;

import java.util.Set;
import javax.annotation.processing.AbstractProcessor;
import javax.annotation.processing.RoundEnvironment;
import javax.annotation.processing.SupportedAnnotationTypes;
import javax.lang.model.SourceVersion;
import javax.lang.model.element.TypeElement;
import javax.lang.model.util.ElementFilter;
import javax.tools.Diagnostic;

/** Makes an error of each type that the engine may not make. */
@SupportedAnnotationTypes("*")
final class AccessProbe extends AbstractProcessor {
    @Override
    public SourceVersion getSupportedSourceVersion() {
        return SourceVersion.latestSupported();
    }

    @Override
    public boolean process(Set<? extends TypeElement> annotations, RoundEnvironment round) {
        for (TypeElement type : ElementFilter.typesIn(round.getRootElements())) {
            if (!Access.isOpen(processingEnv.getElementUtils(), type)) {
                processingEnv
                        .getMessager()
                        .printMessage(Diagnostic.Kind.ERROR, "closed: " + type.getQualifiedName());
            }
        }
        return false;
    }
}
