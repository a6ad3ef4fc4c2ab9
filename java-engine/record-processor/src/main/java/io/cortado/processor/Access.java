package io.cortado.processor;

import java.util.List;
import javax.lang.model.element.Modifier;
import javax.lang.model.element.ModuleElement;
import javax.lang.model.element.ModuleElement.ExportsDirective;
import javax.lang.model.element.ModuleElement.OpensDirective;
import javax.lang.model.element.PackageElement;
import javax.lang.model.element.TypeElement;
import javax.lang.model.util.Elements;
import org.jspecify.annotations.Nullable;

/** Whether the engine's module may make a record by reflection. */
final class Access {
    static final String ENGINE = "io.cortado.engine";

    private Access() {}

    static boolean isOpen(Elements elements, TypeElement type) {
        ModuleElement module = elements.getModuleOf(type);
        if (module == null || module.isUnnamed() || module.isOpen()) {
            return true;
        }
        boolean isPublic = type.getModifiers().contains(Modifier.PUBLIC);
        PackageElement ours = elements.getPackageOf(type);
        return module.getDirectives().stream()
                .anyMatch(directive ->
                        switch (directive) {
                            case ExportsDirective exports ->
                                    isPublic
                                            && exports.getPackage().equals(ours)
                                            && reachesEngine(exports.getTargetModules());
                            case OpensDirective opens ->
                                    opens.getPackage().equals(ours)
                                            && reachesEngine(opens.getTargetModules());
                            default -> false;
                        });
    }

    /** Without targets it is for every module. */
    private static boolean reachesEngine(@Nullable List<? extends ModuleElement> targets) {
        return targets == null
                || targets.stream()
                        .anyMatch(target -> target.getQualifiedName().contentEquals(ENGINE));
    }
}
