/** @type {import('next').NextConfig} */
const config = {
  poweredByHeader: false,
  devIndicators: false,
  // `npm test` checks the types; who only starts it need not wait for that.
  typescript: { ignoreBuildErrors: true },
  // Pages are prerendered; the control process serves them through its own HTTP server.
  experimental: { optimizePackageImports: ['lucide-react', 'radix-ui'] },
};

export default config;
