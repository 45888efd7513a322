/** @type {import('next').NextConfig} */
const config = {
  poweredByHeader: false,
  devIndicators: false,
  // Pages are prerendered; the control process serves them through its own HTTP server.
  experimental: { optimizePackageImports: ['lucide-react', 'radix-ui'] },
};

export default config;
