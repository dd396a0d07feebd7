// node load.mjs NAME: runs NAME.mjs with the packages of the working directory, wherever the tests are.
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

const packages = pathToFileURL(`${process.cwd()}/`).href;
registerHooks({
  resolve(specifier, context, next) {
    const bare = !/^(\.|\/|node:|file:)/.test(specifier);
    const ours = context.parentURL?.startsWith(new URL("../../", import.meta.url).href);
    return next(specifier, bare && ours ? { ...context, parentURL: packages } : context);
  },
});
await import(`./${process.argv[2]}.mjs`);
