package io.cortado.engine;

import static com.tngtech.archunit.library.Architectures.layeredArchitecture;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

/** The import table of the design, one line a row. */
class DependencyDirectionTest {

    @Test
    void packagesOnlyLookDown() {
        JavaClasses classes =
                new ClassFileImporter()
                        .withImportOption(new ImportOption.DoNotIncludeTests())
                        .importPackages("io.cortado");
        layeredArchitecture()
                .consideringOnlyDependenciesInLayers()
                .layer("bindings")
                .definedBy("io.cortado.bindings..")
                .layer("api")
                .definedBy("io.cortado.api..")
                .layer("text")
                .definedBy("io.cortado.text..")
                .layer("kv")
                .definedBy("io.cortado.kv..")
                .layer("device")
                .definedBy("io.cortado.device..")
                .layer("gang")
                .definedBy("io.cortado.gang..")
                .layer("sampling")
                .definedBy("io.cortado.sampling..")
                .layer("constrain")
                .definedBy("io.cortado.constrain..")
                .layer("layout")
                .definedBy("io.cortado.layout..")
                .layer("moe")
                .definedBy("io.cortado.moe..")
                .layer("model")
                .definedBy("io.cortado.model..")
                .layer("speculate")
                .definedBy("io.cortado.speculate..")
                .layer("engine")
                .definedBy("io.cortado.engine..")
                .whereLayer("bindings")
                .mayNotAccessAnyLayer()
                .whereLayer("api")
                .mayNotAccessAnyLayer()
                .whereLayer("text")
                .mayOnlyAccessLayers("api")
                .whereLayer("kv")
                .mayNotAccessAnyLayer()
                .whereLayer("device")
                .mayOnlyAccessLayers("bindings")
                .whereLayer("gang")
                .mayOnlyAccessLayers("device")
                .whereLayer("sampling")
                .mayOnlyAccessLayers("api", "device")
                .whereLayer("constrain")
                .mayOnlyAccessLayers("api", "text")
                .whereLayer("layout")
                .mayNotAccessAnyLayer()
                .whereLayer("moe")
                .mayOnlyAccessLayers("device", "gang")
                .whereLayer("speculate")
                .mayOnlyAccessLayers("api", "device", "sampling")
                .whereLayer("model")
                .mayOnlyAccessLayers("device", "gang", "layout", "moe")
                .whereLayer("engine")
                .mayOnlyAccessLayers(
                        "api",
                        "text",
                        "kv",
                        "device",
                        "gang",
                        "layout",
                        "sampling",
                        "constrain",
                        "moe",
                        "model",
                        "speculate")
                .whereLayer("bindings")
                .mayOnlyBeAccessedByLayers("device")
                .check(classes);
    }
}
