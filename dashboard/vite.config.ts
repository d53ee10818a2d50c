import { defineConfig } from "vite";

/** Where `npm run dev` finds a running bridge. */
const bridge = process.env["TICKPATH_BRIDGE"] ?? "http://127.0.0.1:8080";

// The built page is committed and embedded into the bridge, so a build must not depend on when or where it ran:
// file names carry no hashes, and everything lands in one script and one style sheet.
export default defineConfig({
  base: "./",
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    rollupOptions: {
      output: {
        entryFileNames: "assets/app.js",
        chunkFileNames: "assets/[name].js",
        assetFileNames: "assets/app[extname]",
        // The chart library's licence notice stays in what ships.
        comments: { legal: true },
      },
    },
  },
  server: {
    proxy: {
      "/ws": { target: bridge, ws: true },
      "/api": { target: bridge },
    },
  },
});
