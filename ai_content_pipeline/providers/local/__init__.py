"""Inference on this machine: SDXL, IP-Adapter and Wan through diffusers, without the network.

What is asked (`asked`), where weights lie (`weights`) and what a picture is cropped to (`fitting`) need no
GPU library; `sdxl`, `wan` and `loading` import torch and diffusers when they are used.
"""
