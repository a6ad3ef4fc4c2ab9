package io.cortado.processor;

import java.io.IOException;
import java.io.Writer;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import javax.annotation.processing.Processor;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;

/** Sources compiled in memory, their classes in a folder. */
record Compiled(List<Diagnostic<? extends JavaFileObject>> errors, Path folder) {
    /** By name of file. */
    static Compiled of(Path folder, Map<String, String> sources, Processor... processors)
            throws IOException {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        var diagnostics = new DiagnosticCollector<JavaFileObject>();
        List<String> options =
                Stream.concat(
                                Stream.of("-d", folder.toString(), "-parameters"),
                                processors.length == 0 ? Stream.of("-proc:none") : Stream.empty())
                        .toList();
        var files = new ArrayList<JavaFileObject>();
        sources.forEach((name, text) -> files.add(source(name, text)));
        try (var manager = compiler.getStandardFileManager(diagnostics, Locale.ROOT, null)) {
            var task =
                    compiler.getTask(
                            Writer.nullWriter(), manager, diagnostics, options, null, files);
            task.setProcessors(List.of(processors));
            task.call();
        }
        return new Compiled(
                diagnostics.getDiagnostics().stream()
                        .filter(each -> each.getKind() == Diagnostic.Kind.ERROR)
                        .toList(),
                folder);
    }

    private static JavaFileObject source(String name, String text) {
        return new SimpleJavaFileObject(
                URI.create("string:///" + name), JavaFileObject.Kind.SOURCE) {
            @Override
            public CharSequence getCharContent(boolean ignoreEncodingErrors) {
                return text;
            }
        };
    }

    List<String> messages() {
        return errors.stream().map(each -> each.getMessage(Locale.ROOT)).toList();
    }

    Class<?> load(String name) throws IOException, ReflectiveOperationException {
        URL[] urls = {folder.toUri().toURL()};
        var loader = new URLClassLoader(urls, Compiled.class.getClassLoader());
        return Class.forName(name, true, loader);
    }
}
