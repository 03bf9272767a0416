/* Runs one script, which is built in, with QuickJS. The script finds, beside what the language has:
 *
 *   payload                the payload, or null
 *   inputs.length          how many files there are; inputs.read(number) gives one as text
 *   output(name, text)     makes an output: "creator", "shared", "owner/0" …
 *   print(text)            adds a line to the result
 *
 * A script that calls itself without end is stopped by the sandbox: for WASI the engine does not watch its stack. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quickjs.h"
#include "script.h"

static JSValue read_file(JSContext *js, const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) return JS_ThrowReferenceError(js, "there is no %s", path);
    size_t length = 0, room = 1 << 16;
    char *text = malloc(room);
    for (size_t got; text && (got = fread(text + length, 1, room - length, file)) > 0;) {
        length += got;
        if (length == room) {
            char *more = realloc(text, room *= 2);
            if (!more) free(text);
            text = more;
        }
    }
    JSValue read = !text ? JS_ThrowOutOfMemory(js)
        : ferror(file) ? JS_ThrowInternalError(js, "%s can't be read", path)
        : JS_NewStringLen(js, text, length);
    fclose(file);
    free(text);
    return read;
}

static JSValue read_input(JSContext *js, JSValueConst this, int count, JSValueConst *arguments) {
    int32_t number;
    if (JS_ToInt32(js, &number, arguments[0])) return JS_EXCEPTION;
    char path[32];
    snprintf(path, sizeof path, "/inputs/%d", (int)number);
    return read_file(js, path);
}

static int count_inputs(void) {
    for (int count = 0;; count++) {
        char path[32];
        snprintf(path, sizeof path, "/inputs/%d", count);
        FILE *file = fopen(path, "rb");
        if (!file) return count;
        fclose(file);
    }
}

/* Writes a text and a line's end, if there is one, to a file. */
static int write_text(JSContext *js, FILE *file, JSValueConst value, const char *end) {
    size_t length;
    const char *text = JS_ToCStringLen(js, &length, value);
    if (!text) return -1;
    int failed = fwrite(text, 1, length, file) != length || fputs(end, file) < 0;
    JS_FreeCString(js, text);
    if (failed) JS_ThrowInternalError(js, "the text can't be written");
    return failed;
}

static JSValue output(JSContext *js, JSValueConst this, int count, JSValueConst *arguments) {
    const char *name = JS_ToCString(js, arguments[0]);
    if (!name) return JS_EXCEPTION;
    char path[64];
    snprintf(path, sizeof path, "/outputs/%s", name);
    JS_FreeCString(js, name);
    FILE *file = fopen(path, "wb");
    if (!file) return JS_ThrowReferenceError(js, "there is no output %s", path);
    int failed = write_text(js, file, arguments[1], "");
    if (fclose(file) && !failed) return JS_ThrowInternalError(js, "%s can't be written", path);
    return failed ? JS_EXCEPTION : JS_UNDEFINED;
}

static JSValue print(JSContext *js, JSValueConst this, int count, JSValueConst *arguments) {
    return write_text(js, stdout, arguments[0], "\n") ? JS_EXCEPTION : JS_UNDEFINED;
}

static void offer(JSContext *js, const char *payload) {
    JSValue global = JS_GetGlobalObject(js), inputs = JS_NewObject(js);
    JS_SetPropertyStr(js, inputs, "length", JS_NewInt32(js, count_inputs()));
    JS_SetPropertyStr(js, inputs, "read", JS_NewCFunction(js, read_input, "read", 1));
    JS_SetPropertyStr(js, global, "inputs", inputs);
    JS_SetPropertyStr(js, global, "payload", payload ? JS_NewString(js, payload) : JS_NULL);
    JS_SetPropertyStr(js, global, "output", JS_NewCFunction(js, output, "output", 2));
    JS_SetPropertyStr(js, global, "print", JS_NewCFunction(js, print, "print", 1));
    JS_FreeValue(js, global);
}

/* Says what was thrown, with the script's lines. */
static void complain(JSContext *js) {
    JSValue thrown = JS_GetException(js);
    const char *message = JS_ToCString(js, thrown);
    fprintf(stderr, "%s\n", message ? message : "something that is no text was thrown");
    JSValue stack = JS_IsError(js, thrown) ? JS_GetPropertyStr(js, thrown, "stack") : JS_UNDEFINED;
    const char *lines = JS_IsString(stack) ? JS_ToCString(js, stack) : NULL;
    if (lines) fputs(lines, stderr);
}

int main(int count, char **arguments) {
    JSRuntime *runtime = JS_NewRuntime();
    JSContext *js = runtime ? JS_NewContext(runtime) : NULL;
    if (!js) {
        fputs("there is not enough memory for JavaScript\n", stderr);
        return 1;
    }
    offer(js, count > 1 ? arguments[1] : NULL);
    JSValue done = JS_Eval(js, script, sizeof script - 1, NAME, JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_STRICT);
    JSContext *of = js;
    int jobs = JS_IsException(done) ? -1 : 1;
    /* What the script left to promises. */
    while (jobs > 0) jobs = JS_ExecutePendingJob(runtime, &of);
    if (jobs < 0) complain(of);
    /* The process ends; nothing needs to be freed. */
    return jobs < 0 || fflush(stdout) ? 1 : 0;
}
