import type { Metadata, Viewport } from 'next';
import type { ReactNode } from 'react';
import { preload } from 'react-dom';
import { firstPaths } from '#components/first-requests.ts';
import '@fontsource-variable/inter/wght.css';
import './globals.css';

export const metadata: Metadata = {
  title: 'Brownout',
  description: 'Break a running system on purpose, watch it degrade, and prove that it comes back.',
};

export const viewport: Viewport = {
  width: 'device-width',
  initialScale: 1,
  themeColor: '#0a0d12',
};

const SET_THEME =
  "try{if(localStorage.getItem('brownout.theme')==='light')document.documentElement.dataset.theme='light'}catch{}";

export default function RootLayout({ children }: { children: ReactNode }) {
  for (const path of firstPaths()) preload(path, { as: 'fetch', crossOrigin: 'anonymous' });
  return (
    <html lang="en" suppressHydrationWarning>
      <head>
        {/* biome-ignore lint/security/noDangerouslySetInnerHtml: a constant that must run before the first paint */}
        <script dangerouslySetInnerHTML={{ __html: SET_THEME }} />
      </head>
      <body className="bg-ground text-ink antialiased">
        <noscript>
          <p className="border-b border-line p-3">
            This console needs scripts. Without them, stop everything at <a href="/halt">/halt</a>.
          </p>
        </noscript>
        {children}
      </body>
    </html>
  );
}
