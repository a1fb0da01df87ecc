// Makes dist/page.js, the page with amazon-chime-sdk-js in one file, and dist/licences.txt for what is in it.

import { readFileSync, readdirSync, writeFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const result = await build({
  entryPoints: ["main.ts"],
  outfile: "dist/page.js",
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022"],
  define: { global: "globalThis" },
  // The client of the messaging service is a fifth of all, and a page that talks needs none of it.
  alias: { "@aws-sdk/client-chime-sdk-messaging": "./nothing.mjs" },
  legalComments: "none", // they are in licences.txt, whole
  metafile: true,
  logLevel: "warning",
});

const packages = new Set();
for (const path of Object.keys(result.metafile.inputs)) {
  const found = /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path);
  if (found) packages.add(found[1]);
}
const parts = [];
for (const name of [...packages].sort()) {
  const folder = join("node_modules", name);
  const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
  const texts = files.sort().map((file) => readFileSync(join(folder, file), "utf8").trim());
  parts.push([`${about.name} ${about.version} (${about.license})`, ...texts].join("\n\n"));
}
const head = "Besides code of sma-flows (Apache-2.0), page.js contains the following packages.";
mkdirSync("dist", { recursive: true });
writeFileSync("dist/licences.txt", [head, ...parts].join(`\n\n${"-".repeat(80)}\n\n`) + "\n");
