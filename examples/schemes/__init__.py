"""Does a searched update scheme beat last:N and bias:N at the same memory?"""
